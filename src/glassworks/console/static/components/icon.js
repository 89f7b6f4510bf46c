/** Small pictures of lines, in the color of the text. */
import { html } from "../view.js";

/** Paths on a grid of 24 by 24. */
const PATHS = {
  home: "M4 11l8-7 8 7M6 9.5V20h12V9.5M10 20v-6h4v6",
  data: "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zM4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3",
  train: "M4 20V4M4 20h16M7 8c3 0 3 8 6 8s3-2 6-2",
  runs: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  models: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  try: "M4 20l4-1L19 8l-3-3L5 16zM14 7l3 3",
  optimize: "M4 7h9M17 7h3M4 17h3M11 17h9M13 4.5v5h4v-5zM7 14.5v5h4v-5z",
  serve: "M4 5h16v5H4zM4 14h16v5H4zM7.5 7.5h.01M7.5 16.5h.01",
  keys: "M14.5 9.5a4 4 0 1 0-3.6 3.98L13 15.5h2.5V18H18v2.5h3v-3.2l-6.8-6.6c.2-.4.3-.8.3-1.2zM9.6 9.4h.01",
  menu: "M4 6h16M4 12h16M4 18h16",
  close: "M6 6l12 12M18 6L6 18",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  warning: "M12 3.5l9.5 17h-19zM12 10v4.5M12 17.5h.01",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5.5M12 7.5h.01",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  left: "M15 6l-6 6 6 6",
  right: "M9 6l6 6-6 6",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  upload: "M12 16V4M7 9l5-5 5 5M4 16v4h16v-4",
  download: "M12 4v12M7 11l5 5 5-5M4 16v4h16v-4",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  again: "M20 12a8 8 0 1 1-2.3-5.6M20 3v4.5h-4.5",
  stop: "M6 6h12v12H6z",
  play: "M7 4.5v15l12-7.5z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c.8-4 4-6 8-6s7.200 2 8 6",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16.200 16.200L21 21",
  pictures: "M4 4h16v16H4zM4 16l4.500-4.500 3.500 3.500 3-3L20 17M15.500 8.500h.01",
  texts: "M5 5h14M5 10h14M5 15h9M5 20h6",
  interactions: "M8 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.500 20c.4-4 2.500-6 5.500-6 2 0 3.600.9 4.600 2.600M15 13h6v7h-6zM16.500 13v-2.500h3V13",
};

/** @param {{name: keyof typeof PATHS | string, label?: string}} props With a label it is read aloud. */
export function Icon({ name, label }) {
  const path = PATHS[/** @type {keyof typeof PATHS} */ (name)];
  const said = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<svg class="icon" viewBox="0 0 24 24" ...${said}><path d=${path} /></svg>`;
}
