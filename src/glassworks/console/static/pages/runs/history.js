/** What happened in a run, gathered from its events: series, stages, candidates, the log. */
import { get } from "../../api.js";
import { follow } from "../../events.js";
import { after, isOpen } from "../../runs.js";

/** @typedef {import("../../types").Run} Run */
/** @typedef {import("../../types").RunEvent} RunEvent */
/** @typedef {{x: number[], y: number[]}} Curve */
/** @typedef {{stage: string, total: number | null, at: number, ended: number | null, message: string}} Stage */
/** @typedef {{name: string, values: {[name: string]: any}}} Candidate */

const PAGE = 5000;
const LINES = 10_000;
const NO_CURVE = new Set(["stage", "step", "left_s", "epoch", "seconds", "candidate"]);

export class History {
  /** @param {Run} run */
  constructor(run) {
    this.run = run;
    this.number = 0;
    /** @type {Map<string, Map<string, Curve>>} By stage and name. */
    this.curves = new Map();
    /** @type {Stage[]} */
    this.stages = [];
    /** @type {Map<string, Candidate>} */
    this.candidates = new Map();
    /** @type {string[]} */
    this.lines = [];
  }

  /** @param {RunEvent} event */
  take(event) {
    if (event.number <= this.number) return;
    this.number = event.number;
    const { kind, data } = event;
    if (kind === "log") this.#write(data.line);
    else if (kind === "stage") this.#begin(data, event.at);
    else if (kind === "done") this.#end(data, event.at);
    else if (kind === "values") this.#values(data);
  }

  /** @param {string} line */
  #write(line) {
    this.lines.push(line);
    if (this.lines.length > LINES) this.lines.splice(0, LINES / 10);
  }

  /** @param {any} data @param {number} at */
  #begin(data, at) {
    const known = this.stages.find((each) => each.stage === data.stage);
    const stage = { stage: data.stage, total: data.total ?? null, at, ended: null, message: "" };
    if (known) Object.assign(known, { ended: null, total: stage.total });
    else this.stages.push(stage);
  }

  /** @param {any} data @param {number} at */
  #end(data, at) {
    const stage = this.stages.findLast((each) => each.stage === data.stage);
    if (stage) Object.assign(stage, { ended: at, message: data.message });
  }

  /** @param {any} data */
  #values(data) {
    if (data.candidate) this.#candidate(data);
    const curves = this.curves.get(data.stage) ?? new Map();
    this.curves.set(data.stage, curves);
    for (const [name, value] of Object.entries(data)) {
      if (NO_CURVE.has(name) || typeof value !== "number" || data.candidate) continue;
      const curve = curves.get(name) ?? { x: [], y: [] };
      curves.set(name, curve);
      const step = data.step ?? curve.x.length + 1;
      // Taken up again from a checkpoint, it goes the same steps once more.
      while (curve.x.length && curve.x[curve.x.length - 1] >= step) [curve.x.pop(), curve.y.pop()];
      curve.x.push(step);
      curve.y.push(value);
    }
  }

  /** @param {any} data */
  #candidate(data) {
    const { candidate, stage, step, ...values } = data;
    const known = this.candidates.get(candidate)?.values;
    this.candidates.set(candidate, { name: candidate, values: { ...known, ...values } });
  }
}

/**
 * Follows a run from its beginning; `show` is called as often as a screen is drawn.
 * @param {Run} run
 * @param {(run: Run, history: History) => void} show
 * @param {AbortSignal} signal
 */
export async function followed(run, show, signal) {
  const history = new History(run);
  let drawing = 0;
  const draw = () => {
    drawing ||= requestAnimationFrame(() => {
      drawing = 0;
      if (!signal.aborted) show(history.run, history);
    });
  };
  for (let full = true; full; ) {
    /** @type {{items: RunEvent[], next: number}} */
    const page = await get(`/runs/${run.id}/events`, { signal, query: { after: history.number, limit: PAGE } });
    page.items.forEach((event) => history.take(event));
    full = page.items.length === PAGE;
    draw();
  }
  const stream = follow(
    `/runs/${run.id}/stream`,
    ({ data: event }) => {
      if (event.number <= history.number) return;
      history.take(event);
      history.run = after(history.run, event);
      if (event.kind === "state") reread();
      draw();
    },
    { after: history.number },
  );
  const reread = async () => {
    history.run = await get(`/runs/${run.id}`, { signal }).catch(() => history.run);
    draw();
  };
  // What happened between reading the run and its events.
  if (isOpen(run)) reread();
  signal.addEventListener("abort", stream.close);
}
