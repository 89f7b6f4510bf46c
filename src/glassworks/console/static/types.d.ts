// What the API answers, as far as the console reads it.
export type Role = "viewer" | "operator" | "admin";
export type Session = {
  open: boolean; name: string; roles: Role[]; version: string; expires_at: number | null;
};
export type Fault = { key: string; line?: number | null; problem: string; mend: string };
export type Page<T> = { items: T[]; next: string | null };
export type Need = { code: string; subject: string; problem: string; mend: string; link?: string | null };
export type Status = {
  healthy: boolean; needs: Need[]; serving: { model: string; versions: string[] }[];
  runs: { running: number; waiting: number }; workers: boolean; disk: { free_bytes: number };
};
export type State = "queued" | "running" | "succeeded" | "failed" | "cancelled" | "interrupted";
export type Metric = { value: number; interval?: [number, number] | null; examples?: number | null };
export type Run = {
  id: string; kind: string; about: string; request: any; state: State; stage: string; step: number;
  total: number | null; values: { [name: string]: any }; priority: number; created_at: number;
  started_at: number | null; ended_at: number | null; who: string; parent: string; attempts: number;
  cancelling: boolean; error: { problem: string; mend: string } | null; result: { [name: string]: any };
};
export type RunEvent = {
  number: number; run: string; at: number; kind: "state" | "stage" | "values" | "done" | "log"; data: any;
};
export type Series = { stage: string; name: string; step: number[]; at: number[]; value: number[]; points: number };
export type Family = {
  family: string; summary: string; data_kind: string; task: string; missing: string[];
};
export type Checked = {
  valid: boolean; job: { [key: string]: any } | null; toml: string; problems: Fault[]; warnings: string[];
};
export type Draft = { toml: string; job: { [key: string]: any }; reasons: string[] };
export type DataItem = {
  source: string; id: string | null; name: string; kind: "pictures" | "texts" | "interactions" | null;
  origin: "sample" | "uploaded"; examples: number | null; size_bytes: number | null; created_at: string | null;
  about: string;
};
export type Statistics = {
  at: string;
  models: {
    model: string; version: string; requests: number; errors: number; rows: number; p50_ms: number | null;
    p99_ms: number | null; requests_per_s: number; errors_per_s: number; queue: number;
  }[];
};
export type Schema = { [keyword: string]: any };
export type Revision = {
  model: string; revision: number; at: string; who: string; what: string; champion: number | null;
  shares: { [version: string]: number }; shadow: number | null; restores: number | null;
};
export type ServedVersion = {
  version: string; requests: number; errors: number; p50_ms: number | null; p99_ms: number | null;
  shadow_compared: number; shadow_differed: number;
};
export type Deployment = {
  model: string; revision: number; champion: number | null; aliases: { [alias: string]: number };
  shares: { [version: string]: number }; shadow: number | null; served: ServedVersion[];
  changed_elsewhere: boolean; history: Revision[];
};
export type FailureLine = {
  number: number; at: number; level: string; problem: string; mend: string; status: number | null;
  method: string; path: string; model: string; request_id: string; key: string; part: string;
};
