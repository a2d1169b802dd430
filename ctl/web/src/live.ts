/* live.ts - the last minutes of what changes every second, kept in the page. */
import { useRef, useState } from "preact/hooks";
import { usePolled, type Polled } from "./api";
import type { Top } from "./model";

const EVERY_MS = 2000;
const KEPT = 300; /* ten minutes */

export interface Live {
  times: number[];
  shards: Map<string, (number | null)[]>;
  count: number[]; /* shards that there were */
  statements: number[];
  p50: number[];
  p99: number[];
}

function add(live: Live, top: Top): void {
  const n = live.times.length;

  live.times.push(Date.now() / 1000);
  live.statements.push(top.statements_per_s);
  live.p50.push(top.p50_ms);
  live.p99.push(top.p99_ms);
  live.count.push(top.shards.length);
  for (const s of top.shards)
    if (!live.shards.has(s.shard)) live.shards.set(s.shard, new Array(n).fill(null));
  for (const [name, values] of live.shards)
    values.push(top.shards.find((s) => s.shard === name)?.statements_per_s ?? null);
  if (live.times.length <= KEPT) return;
  for (const list of [live.times, live.statements, live.p50, live.p99, live.count, ...live.shards.values()])
    list.shift();
}

/* Shards that are gone stay as long as their last values are shown. */
function drop(live: Live): void {
  for (const [name, values] of live.shards)
    if (values.every((v) => v === null)) live.shards.delete(name);
}

export function useLive(): Polled<Top> & { live: Live } {
  const live = useRef<Live>({ times: [], shards: new Map(), statements: [], p50: [], p99: [],
                              count: [] });
  const [, setTurn] = useState(0);
  const top = usePolled<Top>("top", EVERY_MS, (value) => {
    add(live.current, value);
    drop(live.current);
    setTurn((n) => n + 1);
  });

  return { ...top, live: live.current };
}
