/** Long series as few points as a screen can show: of each column of pixels its smallest and largest value. */

/** @typedef {{label: string, x: ArrayLike<number>, y: ArrayLike<number | null>, color?: string, dash?: number[], points?: boolean}} Line */

/**
 * The first index whose value is not smaller.
 * @param {ArrayLike<number>} sorted
 * @param {number} value
 */
export function lower(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The points of a line between two values of x, and one beyond on either side; about two a column.
 * @param {Line} line
 * @param {number} from
 * @param {number} to
 * @param {number} columns
 * @returns {[number[], (number | null)[]]}
 */
export function thinned({ x, y }, from, to, columns) {
  const begin = Math.max(0, lower(x, from) - 1);
  const end = Math.min(x.length, lower(x, to) + 2);
  /** @type {number[]} */
  const xs = [];
  /** @type {(number | null)[]} */
  const ys = [];
  const push = (/** @type {number} */ at) => {
    if (xs.length && x[at] === xs[xs.length - 1]) ys[ys.length - 1] = y[at];
    else {
      xs.push(x[at]);
      ys.push(y[at]);
    }
  };
  if (end - begin <= 2 * columns) {
    for (let at = begin; at < end; at++) push(at);
    return [xs, ys];
  }
  const each = (end - begin) / columns;
  for (let column = 0; column < columns; column++) {
    const first = Math.floor(begin + column * each);
    const last = Math.min(end, Math.floor(begin + (column + 1) * each));
    let least = first;
    let most = first;
    for (let at = first; at < last; at++) {
      if (Number(y[at]) < Number(y[least])) least = at;
      if (Number(y[at]) > Number(y[most])) most = at;
    }
    push(Math.min(least, most));
    if (least !== most) push(Math.max(least, most));
  }
  return [xs, ys];
}

/**
 * The least and the greatest x of all lines.
 * @param {Line[]} lines
 * @returns {[number, number]}
 */
export function extent(lines) {
  let low = Infinity;
  let high = -Infinity;
  for (const { x } of lines) {
    if (!x.length) continue;
    low = Math.min(low, x[0]);
    high = Math.max(high, x[x.length - 1]);
  }
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}
