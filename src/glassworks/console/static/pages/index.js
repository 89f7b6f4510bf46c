/** The pages: a folder each, loaded when it is opened, with a catalog of texts beside it. */

/** @typedef {{rest: string[], query: {[name: string]: string}}} PageProps What stands behind the page in the address. */
/** @typedef {{id: string, icon: string, load: () => Promise<{default: (props: PageProps) => any}>}} PageEntry */

/** @type {PageEntry[]} In the order of the navigation; titles are `nav.ID` of `i18n/`. */
export const PAGES = [
  { id: "home", icon: "home", load: () => import("./home/page.js") },
  { id: "data", icon: "data", load: () => import("./data/page.js") },
  { id: "train", icon: "train", load: () => import("./train/page.js") },
  { id: "runs", icon: "runs", load: () => import("./runs/page.js") },
  { id: "models", icon: "models", load: () => import("./models/page.js") },
  { id: "try", icon: "try", load: () => import("./try/page.js") },
  { id: "optimize", icon: "optimize", load: () => import("./optimize/page.js") },
  { id: "serve", icon: "serve", load: () => import("./serve/page.js") },
  { id: "keys", icon: "keys", load: () => import("./keys/page.js") },
];
