/* audit.tsx - who changed what, and whether that is still all and true. */
import { useCallback, useState } from "preact/hooks";
import { call, usePolled } from "./api";
import { useEvents } from "./events";
import type { AuditRow, Verdict } from "./model";
import { moment } from "./text";
import { Empty, Panel, Problem, Table } from "./ui";

function matches(row: AuditRow, words: string): boolean {
  const text = `${row.who} ${row.action} ${row.kind} ${row.name} ${row.result ?? ""} ` +
    `${row.request ?? ""}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((w) => text.toLowerCase().includes(w));
}

function Verify() {
  const [verdict, setVerdict] = useState<Verdict>();
  const [error, setError] = useState<Error>();
  const verify = async () => {
    try {
      setVerdict(await call<Verdict>("audit/verify"));
      setError(undefined);
    } catch (e) {
      setError(e as Error);
    }
  };

  return (
    <div class="verify">
      <button type="button" onClick={verify}>Check the chain</button>
      <div role="status">
        {verdict?.ok && <p class="note">Whole: lines {verdict.first} to {verdict.last}, head{" "}
          <code>{verdict.head.hash.slice(0, 16)}…</code></p>}
        {verdict && !verdict.ok && <ul class="problem">
          {verdict.problems.map((p) => <li key={p}>{p}</li>)}</ul>}
      </div>
      <Problem error={error} />
    </div>
  );
}

function Change(props: { row: AuditRow }) {
  const { before, after } = props.row;

  if (!before && !after) return null;
  return (
    <details><summary>show</summary>
      {before && <><h3>Before</h3><pre>{JSON.stringify(before, null, 2)}</pre></>}
      {after && <><h3>After</h3><pre>{JSON.stringify(after, null, 2)}</pre></>}
    </details>
  );
}

export function Audit() {
  const [words, setWords] = useState("");
  const [before, setBefore] = useState<number[]>([]);
  const page = before.length ? `&before=${before[before.length - 1]}` : "";
  const log = usePolled<{ audit: AuditRow[]; first: number }>(`audit?limit=100${page}`, 10000);
  const all = log.data?.audit ?? [];
  const rows = all.filter((r) => matches(r, words));
  const oldest = all[all.length - 1]?.seq ?? 0;

  useEvents("change", useCallback(() => log.again(), []));
  return (
    <Panel title="Audit" note="every change and every request for one, newest first">
      <Problem error={log.error} />
      <Verify />
      <label class="search">Search <input type="search" value={words}
        onInput={(e) => setWords(e.currentTarget.value)} placeholder="who, what, which" /></label>
      {rows.length === 0 ? <Empty>Nothing is found.</Empty>
        : <Table caption="Changes" rows={rows} keyOf={(r) => r.seq} columns={[
            { name: "Line", number: true, cell: (r) => r.seq },
            { name: "When", cell: (r) => moment(r.time) },
            { name: "Who", cell: (r) => r.who },
            { name: "Did", cell: (r) => r.action },
            { name: "Kind", cell: (r) => r.kind },
            { name: "Which", cell: (r) => <span class="what">{r.name}</span> },
            { name: "Result", cell: (r) => r.result && !r.result.startsWith("2")
              ? <span class="problem">{r.result}</span> : r.result ?? "done" },
            { name: "What", cell: (r) => <Change row={r} /> },
          ]} />}
      <p class="buttons">
        {before.length > 0 && <button type="button"
          onClick={() => setBefore(before.slice(0, -1))}>Newer</button>}
        {oldest > (log.data?.first ?? 1) && <button type="button"
          onClick={() => setBefore([...before, oldest])}>Older</button>}
      </p>
    </Panel>
  );
}
