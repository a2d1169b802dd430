/* audit.tsx - who changed what. */
import { useState } from "preact/hooks";
import { usePolled } from "./api";
import type { AuditRow } from "./model";
import { moment } from "./text";
import { Empty, Panel, Problem, Table } from "./ui";

function matches(row: AuditRow, words: string): boolean {
  const text = `${row.who} ${row.action} ${row.kind ?? ""} ${row.name ?? ""}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((w) => text.includes(w));
}

export function Audit() {
  const [words, setWords] = useState("");
  const log = usePolled<{ audit: AuditRow[] }>("audit", 10000);
  const rows = (log.data?.audit ?? []).filter((r) => matches(r, words));

  return (
    <Panel title="Audit" note="every change of the catalog, newest first">
      <Problem error={log.error} />
      <label class="search">Search <input type="search" value={words}
        onInput={(e) => setWords(e.currentTarget.value)} placeholder="who, what, which" /></label>
      {rows.length === 0 ? <Empty>Nothing is found.</Empty>
        : <Table caption="Changes" rows={rows} keyOf={(r) => `${r.time} ${r.kind} ${r.name}`}
                 columns={[
            { name: "When", cell: (r) => moment(r.time) },
            { name: "Who", cell: (r) => r.who },
            { name: "Did", cell: (r) => r.action },
            { name: "Kind", cell: (r) => r.kind ?? "" },
            { name: "Which", cell: (r) => r.name ?? "" },
            { name: "Then", cell: (r) => r.object === undefined ? r.result ?? ""
              : <details><summary>show</summary>
                  <pre>{JSON.stringify(r.object, null, 2)}</pre></details> },
          ]} />}
    </Panel>
  );
}
