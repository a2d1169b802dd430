/* overview.tsx - how everything is, on one screen. */
import { useCallback } from "preact/hooks";
import { usePolled } from "./api";
import { Chart, type Line } from "./chart";
import type { Live } from "./live";
import { useEvents } from "./events";
import { useJobs } from "./jobs";
import type { Decision, Load, Status, Top } from "./model";
import { MoveProgress, isRunning } from "./moves";
import { amount, bytes, duration, milliseconds, moment, percent } from "./text";
import { Badge, Empty, Figure, Meter, Panel, Problem, Table, colour } from "./ui";

function Figures(props: { top?: Top; status?: Status }) {
  const { top, status } = props;

  return (
    <dl class="figures">
      <Figure name="Statements" value={amount(top?.statements_per_s)} unit="/s" />
      <Figure name="Errors" value={amount(top?.errors_per_s)} unit="/s"
              bad={(top?.errors_per_s ?? 0) > 0} />
      <Figure name="Half within" value={milliseconds(top && top.p50_ms * 1000)} />
      <Figure name="99 % within" value={milliseconds(top && top.p99_ms * 1000)} />
      <Figure name="Clients" value={amount(top?.clients)} />
      <Figure name="Connections to shards" value={amount(top?.backends)} />
      {(top?.parked ?? 0) > 0 && <Figure name="Waiting for rows" value={amount(top?.parked)} />}
      <Figure name="Up for" value={duration(status?.uptime_s)} />
    </dl>
  );
}

function Troubles(props: { status?: Status; loads?: Load[] }) {
  const s = props.status;

  if (!s) return null;
  const found = [...(s.problems ?? [])];
  if (!s.ready) found.push("shardd does not serve.");
  for (const shard of s.shards) if (!shard.answers) found.push(`${shard.name} does not answer.`);
  for (const l of props.loads ?? [])
    for (const r of l.replicas ?? [])
      if (r.wanted && !r.follows)
        found.push(`${r.replica}, a replica of ${l.shard}, does not follow: ${r.problem}`);
  for (const engine of s.engines) if (!engine.answers) found.push(`${engine.name} does not answer.`);
  if (found.length === 0) return null;
  return <ul class="troubles" role="alert">{found.map((t) => <li key={t}>{t}</li>)}</ul>;
}

interface Row { name: string; index: number; load?: Load; state: string; answers: boolean;
                percent: number; rate?: number }

function Shards(props: { status: Status; loads?: Load[]; top?: Top }) {
  const rows: Row[] = props.status.shards.map((s, index) => ({
    name: s.name, index, state: s.state, answers: s.answers, percent: s.percent,
    load: props.loads?.find((l) => l.shard === s.name),
    rate: props.top?.shards.find((t) => t.shard === s.name)?.statements_per_s,
  }));
  const most = Math.max(1, ...rows.map((r) => r.rate ?? 0));

  return (
    <Table caption="Shards and what each has to do" rows={rows} keyOf={(r) => r.name} columns={[
      { name: "Shard", cell: (r) => <><i class="dot" style={{ background: colour(r.index) }} />
          {r.name} {!r.answers ? <Badge kind="bad">away</Badge>
            : r.state !== "up" && <Badge kind="busy">{r.state}</Badge>}</> },
      { name: "Statements/s", cell: (r) =>
          <Meter share={(r.rate ?? 0) / most * 0.79} text={amount(r.rate)} /> },
      { name: "99 % within", number: true, cell: (r) => milliseconds(r.load?.latency_p99_us) },
      { name: "CPU", cell: (r) => <Meter share={r.load?.cpu} text={percent(r.load?.cpu)} /> },
      { name: "Memory", cell: (r) =>
          <Meter share={r.load?.memory} text={percent(r.load?.memory)} /> },
      { name: "Disk", cell: (r) => <Meter share={r.load?.disk} text={percent(r.load?.disk)} /> },
      { name: "Rows", number: true, cell: (r) => amount(r.load?.rows) },
      { name: "Data", number: true, cell: (r) => bytes(r.load?.bytes) },
      { name: "Of the keys", number: true, cell: (r) => `${r.percent.toFixed(1)} %` },
    ]} />
  );
}

export function Overview(props: { top?: Top; live: Live; error?: Error }) {
  const status = usePolled<Status>("status", 5000);
  const loads = usePolled<{ shards: Load[]; interval_s: number }>("load", 5000);
  const jobs = useJobs();
  const decisions = usePolled<{ decisions: Decision[] }>("scaler/decisions?limit=4", 5000);
  const moving = jobs.data?.jobs.filter((j) => j.kind === "move" && isRunning(j)) ?? [];
  const { live } = props;
  useEvents("decision", useCallback(() => decisions.again(), []));
  const latest = decisions.data?.decisions ?? [];
  const order = status.data?.shards.map((s) => s.name) ?? [];
  const rates: Line[] = [...live.shards].map(([name, values]) => {
    const at = order.indexOf(name);
    return { name, colour: at < 0 ? "var(--faint)" : colour(at), values: [...values] };
  });

  return (
    <>
      <Problem error={props.error ?? status.error} />
      <Troubles status={status.data} loads={loads.data?.shards} />
      <Figures top={props.top} status={status.data} />
      {moving.length > 0 && <Panel title="Rows on the move">
        {moving.map((j) => <MoveProgress key={j.number} job={j} />)}</Panel>}
      <div class="pair">
        <Panel title="Load" note="statements per second, by shard">
          <Chart name="Statements/s" times={[...live.times]} lines={rates} format={amount} />
        </Panel>
        <Panel title="Latency" note="as applications see it">
          <Chart name="Milliseconds" times={[...live.times]} format={(n) => amount(n)} lines={[
            { name: "half", colour: "var(--shard-3)", values: [...live.p50] },
            { name: "99 %", colour: "var(--shard-2)", values: [...live.p99] },
          ]} />
        </Panel>
      </div>
      <div class="pair">
        <Panel title="Shards over time" note="as they grow and go">
          <Chart name="Shards" times={[...live.times]} format={(n) => String(Math.round(n))}
                 lines={[{ name: "shards", colour: "var(--shard-1)", values: [...live.count] }]} />
        </Panel>
        <Panel title="What the autoscaler said last">
          {latest.length === 0 ? <Empty>Nothing had to be decided yet.</Empty>
            : <ul class="said">{latest.map((d) => <li key={d.number}>
                <span class="note">{moment(d.at_s)}</span> {d.text}{" "}
                <Badge kind="plain">{d.state}</Badge></li>)}</ul>}
        </Panel>
      </div>
      <Panel title="Shards" note={loads.data && `measured every ${loads.data.interval_s} s`}>
        {status.data ? <Shards status={status.data} loads={loads.data?.shards} top={props.top} />
                     : <Empty>Waiting for the controller.</Empty>}
      </Panel>
    </>
  );
}
