/* keyspace.tsx - the positions of all keys as a ring: who owns what, and where the heat is. */
import { usePolled } from "./api";
import type { Heat, Range, Status } from "./model";
import { amount } from "./text";
import { Empty, Meter, Panel, Problem, Table, colour } from "./ui";

const SPACE = 2 ** 64;
const SIZE = 320;
const OUTER = 150;
const INNER = 114;
const HEAT = 106;
const HEAT_IN = 90;

function turn(position: string): number {
  return Number(BigInt(`0x${position}`)) / SPACE;
}

function point(share: number, radius: number): string {
  const angle = share * 2 * Math.PI - Math.PI / 2;
  return `${(SIZE / 2 + radius * Math.cos(angle)).toFixed(2)},` +
    `${(SIZE / 2 + radius * Math.sin(angle)).toFixed(2)}`;
}

/* A piece of a ring. A whole ring is a piece that just does not close. */
function piece(first: string, last: string, outer: number, inner: number): string {
  const from = turn(first);
  const end = Math.min(turn(last), from + 0.99999);
  const large = end - from > 0.5 ? 1 : 0;

  return `M${point(from, outer)} A${outer},${outer} 0 ${large} 1 ${point(end, outer)} ` +
    `L${point(end, inner)} A${inner},${inner} 0 ${large} 0 ${point(from, inner)} Z`;
}

function Ring(props: { ranges: Range[]; order: string[]; heat: Heat["ranges"] }) {
  const density = (h: Heat["ranges"][number]) => h.per_s / Math.max(1e-12, turn(h.last) - turn(h.start));
  const hottest = Math.max(1e-9, ...props.heat.map(density));
  const shares = new Map<string, number>();
  for (const r of props.ranges) shares.set(r.shard, (shares.get(r.shard) ?? 0) + r.percent);
  const told = [...shares].map(([name, share]) => `${name} ${share.toFixed(1)} %`).join(", ");

  return (
    <svg class="ring" viewBox={`0 0 ${SIZE} ${SIZE}`} role="img"
         aria-label={`The key space by owner: ${told}`}>
      {props.ranges.map((r) => (
        <path key={r.first} d={piece(r.first, r.last, OUTER, INNER)} class="range"
              style={{ fill: colour(Math.max(0, props.order.indexOf(r.shard))) }}>
          <title>{`${r.shard}: ${r.first} – ${r.last} (${r.percent.toFixed(2)} %)`}</title>
        </path>
      ))}
      {props.heat.map((h) => (
        <path key={h.start} d={piece(h.start, h.last, HEAT, HEAT_IN)} class="heat"
              style={{ opacity: 0.06 + 0.94 * density(h) / hottest }}>
          <title>{`${amount(h.per_s)} statements/s at ${h.start} – ${h.last}`}</title>
        </path>
      ))}
      <text x={SIZE / 2} y={SIZE / 2 - 4} text-anchor="middle" class="ring-number">
        {props.ranges.length}</text>
      <text x={SIZE / 2} y={SIZE / 2 + 18} text-anchor="middle" class="ring-word">
        {props.ranges.length === 1 ? "range" : "ranges"}</text>
    </svg>
  );
}

function Owners(props: { ranges: Range[]; order: string[]; heat?: Heat }) {
  const rows = props.order.map((name, index) => {
    const mine = props.ranges.filter((r) => r.shard === name);
    return {
      name, index, ranges: mine.length,
      percent: mine.reduce((sum, r) => sum + r.percent, 0),
      per_s: props.heat?.ranges.filter((h) => h.shard === name)
        .reduce((sum, h) => sum + h.per_s, 0),
      half: props.heat?.halves.find((h) => h.shard === name)?.at,
    };
  });

  return (
    <Table caption="Who owns what" rows={rows} keyOf={(r) => r.name} columns={[
      { name: "Shard", cell: (r) =>
          <><i class="dot" style={{ background: colour(r.index) }} />{r.name}</> },
      { name: "Ranges", number: true, cell: (r) => r.ranges },
      { name: "Of the keys", number: true, cell: (r) => `${r.percent.toFixed(1)} %` },
      { name: "Keyed statements/s", number: true, cell: (r) => amount(r.per_s) },
      { name: "Half of the load lies below", cell: (r) => <code>{r.half ?? "–"}</code> },
    ]} />
  );
}

function HotKeys(props: { heat: Heat }) {
  return (
    <Table caption="The keys that come most often" rows={props.heat.keys}
           keyOf={(k) => k.table + k.hash} columns={[
      { name: "Key", cell: (k) => <code>{k.key}</code> },
      { name: "Table", cell: (k) => k.table },
      { name: "Shard", cell: (k) => k.shard },
      { name: "Statements/s", number: true, cell: (k) => amount(k.per_s) },
      { name: "Of its shard", cell: (k) =>
          <Meter share={k.share} text={`${(k.share * 100).toFixed(0)} %`} /> },
    ]} />
  );
}

export function KeySpace() {
  const ranges = usePolled<{ ranges: Range[] }>("ranges", 5000);
  const heat = usePolled<Heat>("heat", 5000);
  const status = usePolled<Status>("status", 10000);
  const order = status.data?.shards.map((s) => s.name) ?? [];

  return (
    <>
      <Problem error={ranges.error} />
      <Panel title="Key space" note="outside: who owns the keys; inside: where statements go">
        {!ranges.data ? <Empty>Waiting for the controller.</Empty>
          : ranges.data.ranges.length === 0 ? <Empty>No shard owns keys yet.</Empty>
          : <div class="beside">
              <Ring ranges={ranges.data.ranges} order={order} heat={heat.data?.ranges ?? []} />
              <Owners ranges={ranges.data.ranges} order={order} heat={heat.data} />
            </div>}
      </Panel>
      <Panel title="Hot keys" note="splitting a shard does not help one key">
        {heat.data && heat.data.keys.length > 0 ? <HotKeys heat={heat.data} />
          : <Empty>No key comes much more often than others.</Empty>}
      </Panel>
    </>
  );
}
