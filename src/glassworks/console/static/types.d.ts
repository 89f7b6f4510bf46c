// What the API answers, as far as the console reads it.
export type Role = "infer" | "viewer" | "operator" | "admin";
export type Session = {
  open: boolean; name: string; roles: Role[]; version: string; expires_at: number | null;
};
export type Fault = { key: string; line?: number | null; problem: string; mend: string };
export type Page<T> = { items: T[]; next: string | null };
export type Values = { [name: string]: number | string };
export type Sentence = { code: string; values: Values; text: string };
export type Need = { code: string; subject: string; problem: string; mend: string; link?: string | null; values: Values };
export type Status = {
  healthy: boolean; needs: Need[]; serving: { model: string; versions: string[] }[];
  runs: { running: number; waiting: number }; workers: boolean; disk: { free_bytes: number };
};
export type State = "queued" | "running" | "succeeded" | "failed" | "cancelled" | "interrupted";
export type Metric = {
  value: number; interval?: [number, number] | null; examples?: number | null; higher_is_better?: boolean;
  classes?: [number, number] | null;
};
export type ClassMeasured = {
  label: string; examples: number; predicted: number; recall: Metric | null; precision: Metric | null;
  mistaken: { [label: string]: number };
};
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
export type Draft = { toml: string; job: { [key: string]: any }; reasons: Sentence[] };
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
export type DataColumn = { name: string; kind: "number" | "text" | "list"; sample: string[] };
export type DataDetail = DataItem & {
  classes: { name: string; examples: number }[]; columns: DataColumn[]; roles?: { [role: string]: string }; parts?: string[];
  problems?: { problem: string; mend: string }[];
  suggested?: { family: string; toml: string } | null; models: string[];
};
export type Example = {
  index: number; label: string | null; text: string | null; picture: string | null; row: { [column: string]: string } | null;
};
export type ShownExample = { index: number | null; name: string; label: string; text?: string | null };
export type First<T> = { total: number; items: T[] };
export type LabelCandidate = { example: ShownExample; suggested: string; probability: number };
export type DataReport = {
  examples: number; distinct: number; class_counts: { [name: string]: number };
  duplicates: First<{ exact: boolean; pair: ShownExample[] }>; contradictions: First<ShownExample[]>;
  candidates: First<LabelCandidate> | null; unreadable: First<{ name: string; reason: string }>;
  honest_split: Metric | null; random_split: Metric | null; numbers: { [name: string]: any }; findings: (Sentence | string)[];
};
export type Metrics = { [name: string]: Metric };
export type Model = {
  name: string; task: string; family: string; versions: number; newest: number; champion: number | null;
  aliases: { [alias: string]: number }; served: string[]; metrics: Metrics; warnings: string[]; created_at: string; problem?: string;
};
export type Version = {
  name: string; version: number; reference: string; created_at: string; parent: string; aliases: string[];
  bundle_sha256: string; task: string; family: string; metrics: Metrics; baseline: Metrics;
  comparison: { [name: string]: Metrics }; warnings: string[]; precision: string; engine: string; size_bytes: number;
  labels: number; served: boolean; problem?: string;
};
export type Candidate = {
  name: string; engine: string; precision: string; latency_p50_ms: { [rows: string]: number };
  latency_p99_ms: { [rows: string]: number }; speeds: { [name: string]: number }; size_bytes: number; metrics: Metrics;
  computes_fp32: string[]; computes: { [precision: string]: number }; excluded: string;
};
export type SearchReport = { candidates: Candidate[]; chosen: string; reference: string; notes?: string[] };
export type Graph = {
  nodes: { id: string; kind: string; label: string; link: string }[]; edges: { source: string; target: string }[];
};
export type Tensor = { name: string; datatype: string; shape: number[]; data: any[] | null };
export type Answer = {
  headline: string; values: { [name: string]: any }; decision: string[]; probability: number | null;
};
export type SampleRequest = { inputs: Tensor[]; answer: Answer | null };
export type TensorSpec = { name: string; datatype: string; shape: number[] };
export type VersionDetail = Version & {
  card: string; job: { [key: string]: any }; report: SearchReport | null; fidelity: { [method: string]: number };
  explainers: string[]; signature: { inputs: TensorSpec[]; outputs: TensorSpec[] }; label_names: string[];
  libraries: { [name: string]: string }; license: string; lineage: Graph; run: string | null; samples: SampleRequest[];
  classes: ClassMeasured[];
};
export type Comparison = {
  a: string; b: string; same_data: boolean; size_bytes: [number, number];
  metrics: {
    name: string; a: Metric | null; b: Metric | null; difference: number | null; higher_is_better: boolean;
    interval: [number, number] | null; better: "a" | "b" | "";
  }[];
  keys: { key: string; a: any; b: any }[]; labels_added: string[]; labels_removed: string[];
  examples: { inputs: Tensor[]; a: Answer | null; b: Answer | null; agree: boolean | null }[];
  examples_from: "service" | "bundles";
};
export type Key = {
  id: string; name: string; created_at: string; expires_at: string | null; revoked_at: string | null; models: string[];
  roles: Role[]; requests_per_s: number | null; requests_per_day: number | null; rows_per_day: number | null;
  tokens_per_day: number | null; concurrent_streams: number | null; max_context: number | null;
  state?: "valid" | "expired" | "revoked";
};
export type Used = {
  day: string | null; key_id: string | null; name: string | null; model: string | null; requests: number;
  errors: number; rows: number; tokens: number;
};
