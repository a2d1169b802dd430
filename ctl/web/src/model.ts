/* model.ts - what the controller answers, as far as the page looks at it. */
export interface Shard extends Server {
  name: string; id: number; state: string; provisioner: string; host: string; port: number;
  percent: number; ranges: number; answers: boolean; version?: string; problem?: string;
  server_name?: string;
}

/* What the workers of shardd know of a server, when they do. */
export interface Server {
  score?: number; breaker?: "closed" | "half-open" | "open"; latency_us?: number;
  reads?: number; errors?: number;
}

export interface Replica extends Server {
  replica: string; shard: string; host: string; port: number; state: string; answers: boolean;
  replicates?: boolean; lag_s?: number | null; weight: number; zone: string; problem?: string;
  suspect?: string;
}

export interface Failover {
  shard: string; at_ms: number; from: string; to: string; kind: string; why: string; who: string;
  pause_ms?: number; may_be_lost?: boolean;
}

export interface Status {
  ready: boolean; uptime_s: number; generation: number; instance: string;
  shardd: { listen: string; http: string };
  workers: { worker: number; state: string; clients: number; backends: number }[];
  shards: Shard[];
  engines: { name: string; state: string; answers: boolean }[];
  problems?: string[];
}

export interface Top {
  statements_per_s: number; errors_per_s: number; p50_ms: number; p99_ms: number;
  clients: number; backends: number; parked: number;
  shards: { shard: string; statements_per_s: number; mean_ms: number; errors_per_s: number;
            backends: number; waiting: number }[];
}

/* Of a replica, as of a shard; and how it follows. */
export interface ReplicaLoad {
  replica: string; wanted: boolean; follows: boolean; problem: string;
  statements_per_s: number | null; cpu: number | null; memory: number | null;
  disk: number | null;
}

/* Not measured: null. */
export interface Load {
  shard: string; id: number; at_ms: number;
  statements_per_s: number | null; errors_per_s: number | null;
  latency_mean_us: number | null; latency_p50_us: number | null;
  latency_p95_us: number | null; latency_p99_us: number | null;
  connections: number | null; threads_running: number | null;
  cpu: number | null; memory: number | null; disk: number | null;
  disk_free: number | null; buffer_pool: number | null;
  rows: number | null; bytes: number | null; lag_s: number | null;
  replicas?: ReplicaLoad[];
}

export interface Range {
  first: string; last: string; shard: string; percent: number;
}

export interface Job {
  number: number; kind: string; who: string; what: string; state: string;
  started: number; ended?: number; phase?: string; error?: string; problem?: string;
  steps?: string[];
  progress?: {
    tables_done?: number; tables?: number; rows?: number; rows_total?: number;
    rows_per_s?: number; lag_s?: number; applied?: number; left_s?: number;
    slowed?: string;
  };
}

export interface AuditRow {
  seq: number; time: number; who: string; kind: string; name: string; action: string;
  before?: unknown; after?: unknown; result?: string; request?: string;
}

export interface Verdict {
  ok: boolean; lines: number; first: number; last: number; problems: string[];
  head: { seq: number; hash: string };
}

export interface Statement {
  statement: string; database: string; plan: string; calls: number; total_s: number;
  mean_ms: number; max_ms: number; errors: number; share: number;
}

export interface Heat {
  keys: { shard: string; table: string; key: string; hash: string; per_s: number;
          share: number }[];
  ranges: { start: string; last: string; shard: string; per_s: number }[];
  halves: { shard: string; at: string; share: number }[];
}

export interface Scaler {
  mode: string; stopped: string; checked_s: number; next_check_s: number; moves_today: number;
  shards: { shard?: string; name?: string; state?: string }[];
}

export interface Decision {
  number: number; at_s: number; action: string; why: string; held?: string; shard?: string;
  metric?: string; value?: number; limit?: number; text: string; state: string; job?: number;
  error?: string; ended_s?: number;
}

export interface Explained extends Decision {
  replayed: Decision | null;
  world: { shards: ({ name: string; mean: Record<string, number | null>;
                      statements?: { peak: number; in_s: number; error: number } | null })[] };
}
