/** What this browser remembers, where it may. */

/** @param {string} name */
export function stored(name) {
  try {
    return localStorage.getItem(`glassworks.${name}`);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string | null} value `null` forgets it.
 */
export function store(name, value) {
  try {
    if (value === null) localStorage.removeItem(`glassworks.${name}`);
    else localStorage.setItem(`glassworks.${name}`, value);
  } catch {
    // A browser that keeps nothing still works.
  }
}
