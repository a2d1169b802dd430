/* statements.tsx - which statements take the time. */
import { useState } from "preact/hooks";
import { usePolled } from "./api";
import type { Statement } from "./model";
import { amount, duration } from "./text";
import { Empty, Meter, Panel, Problem, Table } from "./ui";

const ORDERS: [string, string][] = [
  ["time", "the most time in all"], ["mean", "the slowest on average"],
  ["max", "the slowest ever"], ["calls", "the most calls"], ["errors", "the most errors"],
];

const ms = (n: number) => (n >= 1000 ? `${(n / 1000).toFixed(1)} s`
                                     : `${n.toFixed(n < 10 ? 2 : 0)} ms`);

export function Statements() {
  const [order, setOrder] = useState("time");
  const list = usePolled<{ statements: Statement[]; window_s: number }>(`statements?by=${order}`,
                                                                        3000);
  const rows = list.data?.statements ?? [];

  return (
    <Panel title="Statements" note={list.data &&
      `of the last ${duration(list.data.window_s)} or two of them; values are left out`}>
      <Problem error={list.error} />
      <label class="search">First come <select value={order}
        onChange={(e) => setOrder(e.currentTarget.value)}>
        {ORDERS.map(([name, text]) => <option key={name} value={name}>{text}</option>)}
      </select></label>
      {rows.length === 0 ? <Empty>No statements have come lately.</Empty>
        : <Table caption="Statements by their time" rows={rows}
                 keyOf={(s) => `${s.database} ${s.statement}`} columns={[
            { name: "Statement", cell: (s) => <code class="statement">{s.statement}</code> },
            { name: "Of all time", cell: (s) =>
                <Meter share={s.share * 0.79} text={`${(s.share * 100).toFixed(1)} %`} /> },
            { name: "Calls", number: true, cell: (s) => amount(s.calls) },
            { name: "On average", number: true, cell: (s) => ms(s.mean_ms) },
            { name: "At most", number: true, cell: (s) => ms(s.max_ms) },
            { name: "Errors", number: true, cell: (s) => s.errors ? amount(s.errors) : "" },
            { name: "Where", cell: (s) => s.plan },
            { name: "Database", cell: (s) => s.database },
          ]} />}
    </Panel>
  );
}
