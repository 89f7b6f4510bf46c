/** Runs as events change them. */
import { get } from "./api.js";
import { follow } from "./events.js";

/** @typedef {import("./types").Run} Run */
/** @typedef {import("./types").RunEvent} RunEvent */

export const OPEN = ["queued", "running", "interrupted"];

/** @param {Run} run */
export const isOpen = (run) => OPEN.includes(run.state);

/**
 * The run after an event of it.
 * @param {Run} run
 * @param {RunEvent} event
 * @returns {Run}
 */
export function after(run, event) {
  const data = event.data;
  if (event.kind === "stage") return { ...run, stage: data.stage, total: data.total ?? null, step: 0, values: {} };
  if (event.kind === "values") {
    const { stage, ...values } = data;
    return { ...run, stage: stage ?? run.stage, step: values.step ?? run.step + 1, values: { ...run.values, ...values } };
  }
  if (event.kind !== "state" || !data.state) return run;
  const ended = OPEN.includes(data.state) ? null : event.at;
  const started = data.state === "running" ? (run.started_at ?? event.at) : run.started_at;
  return { ...run, state: data.state, ended_at: ended, started_at: started, cancelling: ended ? false : run.cancelling };
}

/**
 * Keeps a page of runs as the service has them.
 * @param {(change: (page: import("./types").Page<Run>) => import("./types").Page<Run>) => void} change
 * @param {(kind: string) => void} [happened]
 * @returns {() => void}
 */
export function followRuns(change, happened) {
  const stream = follow("/runs/stream", ({ kind, data }) => {
    /** @type {RunEvent} */
    const event = { ...data, kind };
    let known = false;
    change((page) => {
      known = page.items.some((run) => run.id === event.run);
      return known ? { ...page, items: page.items.map((run) => (run.id === event.run ? after(run, event) : run)) } : page;
    });
    if (kind === "state") refresh(event.run, change);
    happened?.(kind);
  });
  return stream.close;
}

/**
 * A run that is new, or whose state is: as the service has all of it.
 * @param {string} id
 * @param {(change: (page: import("./types").Page<Run>) => import("./types").Page<Run>) => void} change
 */
async function refresh(id, change) {
  try {
    /** @type {Run} */
    const run = await get(`/runs/${id}`);
    change((page) => {
      const at = page.items.findIndex((each) => each.id === id);
      if (at < 0) return { ...page, items: [run, ...page.items] };
      return { ...page, items: page.items.map((each) => (each.id === id ? run : each)) };
    });
  } catch {
    // Its next event, or the next reading of the list, brings it.
  }
}
