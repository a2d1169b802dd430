/* ui.tsx - the pieces that pages are made of. */
import type { ComponentChildren } from "preact";

export function Panel(props: { title: string; note?: ComponentChildren;
                               children: ComponentChildren }) {
  return (
    <section class="panel">
      <header><h2>{props.title}</h2>{props.note && <span class="note">{props.note}</span>}</header>
      {props.children}
    </section>
  );
}

export function Figure(props: { name: string; value: string; unit?: string; bad?: boolean }) {
  return (
    <div class={props.bad ? "figure bad" : "figure"}>
      <dt>{props.name}</dt>
      <dd>{props.value}{props.unit && <small> {props.unit}</small>}</dd>
    </div>
  );
}

/* A share of a whole with its limit: 0.8 and more is warm, 0.95 hot. With `good` it is the other
 * way round: little of it is bad. */
export function Meter(props: { share: number | null | undefined; text: string; good?: boolean }) {
  const share = Math.max(0, Math.min(1, props.share ?? 0));
  const bad = props.good ? 1 - share : share;
  const heat = bad >= (props.good ? 0.8 : 0.95) ? "hot" : bad >= (props.good ? 0.5 : 0.8) ? "warm" : "";
  return (
    <span class="meter">
      <span class={`track ${heat}`} aria-hidden="true"><i style={{ width: `${share * 100}%` }} /></span>
      <span>{props.text}</span>
    </span>
  );
}

export function Badge(props: { kind: "good" | "busy" | "bad" | "plain"; children: ComponentChildren }) {
  return <span class={`badge ${props.kind}`}>{props.children}</span>;
}

export function Problem(props: { error?: Error }) {
  if (!props.error) return null;
  const away = props.error instanceof TypeError;
  return (
    <p class="problem" role="alert">
      {away ? "The controller does not answer; what you see is what it said last."
            : props.error.message}
    </p>
  );
}

export function Empty(props: { children: ComponentChildren }) {
  return <p class="empty">{props.children}</p>;
}

export interface Column<T> {
  name: string;
  number?: boolean;
  cell: (row: T) => ComponentChildren;
}

export function Table<T>(props: { caption: string; columns: Column<T>[]; rows: T[];
                                  keyOf: (row: T) => string | number }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={props.caption}>
      <table>
        <caption>{props.caption}</caption>
        <thead>
          <tr>{props.columns.map((c) =>
            <th key={c.name} scope="col" class={c.number ? "number" : ""}>{c.name}</th>)}</tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={props.keyOf(row)}>
              {props.columns.map((c) =>
                <td key={c.name} class={c.number ? "number" : ""} data-name={c.name}>
                  {c.cell(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/* Colours of shards: eight that are told apart by most eyes, then again. */
const COLOURS = 8;

export function colour(index: number): string {
  return `var(--shard-${(index % COLOURS) + 1})`;
}
