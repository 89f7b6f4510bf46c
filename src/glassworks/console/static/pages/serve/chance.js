/** How likely a difference in errors is where there is none: Fisher's exact test, of both sides. */

/** @typedef {{requests: number, errors: number}} Counts */

const TERMS = 20_000;

/**
 * @param {Counts} one
 * @param {Counts} other
 */
export function chanceOf(one, other) {
  const [all, errors] = [one.requests + other.requests, one.errors + other.errors];
  const least = Math.max(0, errors - other.requests);
  const most = Math.min(errors, one.requests);
  if (most - least > TERMS) return normal(one, other);
  const whole = choices(all, errors);
  const chance = (/** @type {number} */ found) => Math.exp(choices(one.requests, found) + choices(other.requests, errors - found) - whole);
  const seen = chance(one.errors) * (1 + 1e-7);
  let sum = 0;
  for (let found = least; found <= most; found++) {
    const each = chance(found);
    if (each <= seen) sum += each;
  }
  return Math.min(1, sum);
}

/**
 * Near enough where there are very many errors.
 * @param {Counts} one
 * @param {Counts} other
 */
function normal(one, other) {
  const pooled = (one.errors + other.errors) / (one.requests + other.requests);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / one.requests + 1 / other.requests));
  const z = Math.abs(one.errors / one.requests - other.errors / other.requests) / (spread || 1);
  return Math.min(1, 2 * Math.exp(-z * z / 2) / (z * Math.sqrt(2 * Math.PI) || 1));
}

/** The logarithm of how many ways there are to choose so many. @param {number} all @param {number} some */
const choices = (all, some) => factorial(all) - factorial(some) - factorial(all - some);

/** The logarithm of n!, by Stirling's series where n is not small. @param {number} n */
function factorial(n) {
  if (n < 20) {
    let found = 0;
    for (let each = 2; each <= n; each++) found += Math.log(each);
    return found;
  }
  return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + 1 / (12 * n) - 1 / (360 * n ** 3);
}
