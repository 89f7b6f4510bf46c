/** The job that is written: its table and its file follow each other, by what the service says of either. */
import { get, isAbort, post } from "../../api.js";
import { changed } from "../../components/schema_form.js";
import { store, stored } from "../../stored.js";
import { useMemo, useRef, useState } from "../../view.js";

/** @typedef {import("../../types").Checked} Checked */
/**
 * @typedef {object} Written
 * @property {{[key: string]: any}} table The last one that could be read.
 * @property {string} toml
 * @property {import("../../types").Fault[]} faults
 * @property {string[]} warnings
 * @property {import("../../types").Sentence[]} reasons Why the draft is as it is.
 * @property {boolean} readable Whether the file is TOML.
 * @property {boolean} valid
 * @property {boolean} checking
 * @property {any} error
 * @property {import("../../types").Schema | null} schema
 */

const PAUSE_MS = 250;
const NEW = 'name = "my-model"\nfamily = "convnet"\n\n[data]\nsource = "sample:mnist-5k"\n';
const KEPT = "train.toml";
const KEPT_DATA = "train.data";
const KEPT_COLUMNS = "train.columns";

/** @type {Written} */
const NOTHING = { table: {}, toml: "", faults: [], warnings: [], reasons: [], readable: true, valid: false, checking: true, error: null, schema: null };

/** A job that is being written, and what can be done to it. */
export function useJob() {
  const [written, set] = useState(NOTHING);
  const now = useRef(NOTHING);
  const actions = useMemo(() => actionsOf(now, (next) => set((now.current = next))), []);
  return { ...written, ...actions };
}

/**
 * @param {{current: Written}} now
 * @param {(next: Written) => void} set
 */
function actionsOf(now, set) {
  let control = new AbortController();
  let timer = 0;
  /** @type {{[key: string]: any}} What the form changed and the file does not have yet. */
  let pending = {};

  /** @param {Partial<Written>} changes */
  const put = (changes) => set({ ...now.current, ...changes });

  /**
   * Whatever was asked before does not matter any more.
   * @param {(signal: AbortSignal) => Promise<void>} work
   * @param {number} [pause]
   */
  function instead(work, pause = 0) {
    control.abort();
    clearTimeout(timer);
    control = new AbortController();
    const { signal } = control;
    put({ checking: true, error: null });
    timer = setTimeout(async () => {
      try {
        await work(signal);
      } catch (error) {
        if (!isAbort(error)) put({ error, checking: false });
      }
    }, pause);
  }

  /**
   * The file with the changes of the form, which leave its comments as they are.
   * @param {string} toml
   * @param {AbortSignal} signal
   */
  async function check(toml, signal) {
    /** @type {Checked} */
    const found = await post("/jobs/check", { toml, changes: pending }, { signal });
    const table = found.job ?? now.current.table;
    pending = {};
    put({
      table, toml: found.toml, faults: found.problems, warnings: found.warnings, readable: found.job !== null,
      valid: found.valid, checking: false,
    });
    store(KEPT, now.current.toml);
    await shape(table.family, signal);
  }

  /**
   * @param {unknown} family
   * @param {AbortSignal} signal
   */
  async function shape(family, signal) {
    if (typeof family !== "string" || !family || now.current.schema?.family === family) return;
    try {
      /** @type {import("../../types").Schema} */
      const schema = await get(`/jobs/families/${encodeURIComponent(family)}/schema`, { signal });
      put({ schema: { ...schema, family } });
    } catch (error) {
      if (isAbort(error) || /** @type {any} */ (error).status !== 404) throw error; // An unknown family is a problem of the file.
    }
  }

  /** The fewest keys that train these data. @param {string} data @param {string} [family] */
  const draft = (data, family) =>
    instead(async (signal) => {
      /** @type {import("../../types").Draft} */
      const made = await post("/jobs/draft", { ...knownOf(data, family), data, family }, { signal });
      store(KEPT_DATA, data);
      put({ reasons: made.reasons, table: made.job, toml: made.toml });
      pending = {};
      await check(made.toml, signal);
    });

  /** What was last written in this browser. */
  const restore = () => {
    const toml = stored(KEPT) ?? NEW;
    put({ toml, reasons: [] });
    pending = {};
    instead((signal) => check(toml, signal));
  };

  /** What a run was asked for. @param {string} id */
  const repeat = (id) =>
    instead(async (signal) => {
      /** @type {import("../../types").Run} */
      const run = await get(`/runs/${encodeURIComponent(id)}`, { signal });
      /** @type {Checked} */
      const found = await post("/jobs/check", { job: run.request.job }, { signal });
      store(KEPT_DATA, null);
      put({ reasons: [] });
      pending = {};
      await check(found.toml, signal);
    });

  return {
    draft,
    repeat,
    restore,
    /** What was written for these data, else the fewest keys that train them. @param {string} data @param {string} [family] */
    open: (data, family) => (!family && stored(KEPT_DATA) === data && stored(KEPT) ? restore() : draft(data, family)),
    /** @param {string[]} path @param {any} value Nothing takes the key away. */
    change: (path, value) => {
      pending[path.join(".")] = value ?? null;
      put({ table: changed(now.current.table, path, value) });
      instead((signal) => check(now.current.toml, signal), PAUSE_MS);
    },
    /** @param {string} toml */
    write: (toml) => {
      pending = {};
      put({ toml });
      instead((signal) => check(toml, signal), PAUSE_MS);
    },
    again: () => instead((signal) => check(now.current.toml, signal)),
  };
}

/**
 * What was said of these data when it was asked; a family says the kind itself.
 * @param {string} data
 * @param {string} [family]
 */
function knownOf(data, family) {
  const { data: of, ...known } = JSON.parse(stored(KEPT_COLUMNS) ?? "{}");
  return of === data && !family ? known : {};
}
