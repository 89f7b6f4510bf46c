/** Numbers, sizes and times as the reader's language has them. All of fixed width where they change: see `.number`. */
import { signal } from "./view.js";
import { language, t } from "./i18n.js";

const NONE = "–";

/** The time of the moment in seconds, once a second, for what is shown as an age or a time left. */
export const clock = signal(Date.now() / 1000);
setInterval(() => {
  if (!document.hidden) clock.value = Date.now() / 1000;
}, 1000);

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/**
 * @param {Intl.NumberFormatOptions} options
 */
function formatOf(options) {
  const key = language.value + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.NumberFormat(language.value, options)));
  return found;
}

/**
 * A number; with `digits` behind the point, always that many, so that live ones keep their width.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function number(value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (digits !== undefined) {
    return formatOf({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
  }
  const small = value !== 0 && Math.abs(value) < 0.001;
  if (small) return value.toExponential(2);
  return formatOf({ maximumSignificantDigits: Number.isInteger(value) ? 21 : 4 }).format(value);
}

/**
 * A share of 1.
 * @param {number | null | undefined} value
 */
export function percent(value, digits = 1) {
  if (value === null || value === undefined) return NONE;
  return formatOf({ style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  const digits = unit && value < 100 ? 1 : 0;
  return formatOf({ style: "unit", unit: units[unit], unitDisplay: unit ? "short" : "long", maximumFractionDigits: digits }).format(value);
}

/**
 * Milliseconds, as many digits whatever they are.
 * @param {number | null | undefined} value
 */
export function milliseconds(value) {
  if (value === null || value === undefined) return NONE;
  return `${number(value, value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

/**
 * How long: `1 h 02 min`, `3 min 20 s`, `4 s`.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return t("time.s", { s: whole });
  if (whole < 3600) return t("time.min", { min: Math.floor(whole / 60), s: two(whole % 60) });
  if (whole < 86400) return t("time.h", { h: Math.floor(whole / 3600), min: two(Math.floor((whole % 3600) / 60)) });
  return t("time.d", { d: Math.floor(whole / 86400), h: two(Math.floor((whole % 86400) / 3600)) });
}

/**
 * How long ago, of seconds since 1970 or ISO 8601.
 * @param {number | string | null | undefined} when
 */
export function ago(when) {
  if (when === null || when === undefined) return NONE;
  const seconds = clock.value - instant(when).getTime() / 1000;
  const relative = new Intl.RelativeTimeFormat(language.value, { numeric: "auto" });
  if (seconds < 45) return t("time.now");
  if (seconds < 45 * 60) return relative.format(-Math.round(seconds / 60), "minute");
  if (seconds < 22 * 3600) return relative.format(-Math.round(seconds / 3600), "hour");
  if (seconds < 26 * 86400) return relative.format(-Math.round(seconds / 86400), "day");
  return date(when);
}

/**
 * A day and a time.
 * @param {number | string | null | undefined} when
 */
export function date(when) {
  if (when === null || when === undefined) return NONE;
  return new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "short" }).format(instant(when));
}

/**
 * A time of the day with seconds, as logs have it.
 * @param {number | string} when
 */
export function timeOfDay(when) {
  return new Intl.DateTimeFormat(language.value, { timeStyle: "medium", hour12: false }).format(instant(when));
}

/** @param {number | string} when */
function instant(when) {
  return typeof when === "number" ? new Date(when * 1000) : new Date(when);
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}
