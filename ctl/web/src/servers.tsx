/* servers.tsx - the servers behind the shards: primaries and replicas, how they are, and when one
 * took another's place. */
import { usePolled } from "./api";
import type { Failover, Load, Replica, ReplicaLoad, Server, Shard } from "./model";
import { amount, milliseconds, moment, percent } from "./text";
import { Badge, Empty, Meter, Panel, Problem, Table, colour } from "./ui";

interface Row {
  name: string; shard: string; index: number; role: "primary" | "replica"; address: string;
  state: string; answers: boolean; follows?: boolean; lag_s?: number | null; problem?: string;
  weight?: number; zone?: string; seen?: Server; load?: Load | ReplicaLoad;
}

function primary(shard: Shard, index: number): Row {
  return { name: shard.server_name || shard.name, shard: shard.name, index, role: "primary",
           address: `${shard.host}:${shard.port}`, state: shard.state, answers: shard.answers,
           problem: shard.problem, seen: shard.score === undefined ? undefined : shard };
}

function replica(r: Replica, index: number): Row {
  return { name: r.replica, shard: r.shard, index, role: "replica",
           address: `${r.host}:${r.port}`, state: r.state, answers: r.answers,
           follows: r.replicates, lag_s: r.lag_s, problem: r.suspect || r.problem,
           weight: r.weight, zone: r.zone, seen: r.score === undefined ? undefined : r };
}

/* The primary of a shard, then its replicas. */
function rowsOf(shards: Shard[], replicas: Replica[], loads: Load[]): Row[] {
  return shards.flatMap((shard, index) => {
    const load = loads.find((l) => l.shard === shard.name);
    return [{ ...primary(shard, index), load },
      ...replicas.filter((r) => r.shard === shard.name).map((r) => ({ ...replica(r, index),
        load: load?.replicas?.find((one) => one.replica === r.replica) }))];
  });
}

function Health(props: { row: Row }) {
  const { row } = props;

  if (!row.answers) return <Badge kind="bad">away</Badge>;
  if (row.role === "replica" && !row.follows) return <Badge kind="bad">does not follow</Badge>;
  if (row.state === "draining" || row.state === "disabled")
    return <Badge kind="busy">{row.state}</Badge>;
  return <Badge kind="good">well</Badge>;
}

/* From 0 to 100, the higher the better: a full bar is no warning here. */
function Score(props: { seen?: Server }) {
  const score = props.seen?.score;

  if (score === undefined) return <>–</>;
  return <Meter share={score / 100} text={String(score)} good />;
}

function Breaker(props: { seen?: Server }) {
  const is = props.seen?.breaker;

  if (!is) return <>–</>;
  return <Badge kind={is === "closed" ? "good" : is === "open" ? "bad" : "busy"}>{is}</Badge>;
}

function behind(row: Row): string {
  if (row.role === "primary") return "";
  return row.lag_s === null || row.lag_s === undefined ? "not known" : `${row.lag_s} s`;
}

function Servers(props: { rows: Row[] }) {
  return (
    <Table caption="Servers of the shards" rows={props.rows} keyOf={(r) => `${r.role} ${r.name}`}
           columns={[
      { name: "Server", cell: (r) => <><i class="dot" style={{ background: colour(r.index) }} />
          {r.name}</> },
      { name: "Shard", cell: (r) => r.shard },
      { name: "Role", cell: (r) => r.role },
      { name: "Health", cell: (r) => <Health row={r} /> },
      { name: "Score", cell: (r) => <Score seen={r.seen} /> },
      { name: "Breaker", cell: (r) => <Breaker seen={r.seen} /> },
      { name: "Behind", number: true, cell: behind },
      { name: "Answers within", number: true,
        cell: (r) => r.seen ? milliseconds(r.seen.latency_us) : "–" },
      { name: "Reads", number: true, cell: (r) => r.seen ? amount(r.seen.reads) : "–" },
      { name: "CPU", number: true, cell: (r) => percent(r.load?.cpu) },
      { name: "Memory", number: true, cell: (r) => percent(r.load?.memory) },
      { name: "Disk", number: true, cell: (r) => percent(r.load?.disk) },
      { name: "Weight", number: true, cell: (r) => r.weight ?? "" },
      { name: "Address", cell: (r) => <>{r.address}{r.zone && ` (${r.zone})`}
          {r.problem && <span class="problem"> {r.problem}</span>}</> },
    ]} />
  );
}

function Failovers(props: { all: Failover[] }) {
  if (props.all.length === 0) return <Empty>No server has taken another's place yet.</Empty>;
  return (
    <Table caption="Changes of primaries" rows={props.all} keyOf={(f) => `${f.shard} ${f.at_ms}`}
           columns={[
      { name: "When", cell: (f) => moment(f.at_ms / 1000) },
      { name: "Shard", cell: (f) => f.shard },
      { name: "From", cell: (f) => f.from },
      { name: "To", cell: (f) => f.to },
      { name: "Kind", cell: (f) =>
          <Badge kind={f.kind === "planned" ? "good" : f.kind === "lost" ? "busy" : "bad"}>
            {f.kind}</Badge> },
      { name: "Statements waited", number: true,
        cell: (f) => f.pause_ms === undefined ? "–" : milliseconds(f.pause_ms * 1000) },
      { name: "Why", cell: (f) => <>{f.why}{f.who && ` (${f.who})`}{f.may_be_lost &&
          <span class="problem"> commits may be lost</span>}</> },
    ]} />
  );
}

export function ServersPage() {
  const shards = usePolled<{ shards: Shard[] }>("shards", 3000);
  const replicas = usePolled<{ replicas: Replica[] }>("replicas", 3000);
  const failovers = usePolled<{ failovers: Failover[] }>("failovers", 5000);
  const loads = usePolled<{ shards: Load[] }>("load", 5000);
  const rows = rowsOf(shards.data?.shards ?? [], replicas.data?.replicas ?? [],
                      loads.data?.shards ?? []);

  return (
    <>
      <Problem error={shards.error ?? replicas.error} />
      <Panel title="Servers" note="score, breaker and answers as the workers of shardd see them">
        {!shards.data ? <Empty>Waiting for the controller.</Empty> : <Servers rows={rows} />}
      </Panel>
      <Panel title="Failovers" note="newest first">
        <Failovers all={failovers.data?.failovers ?? []} />
      </Panel>
    </>
  );
}
