/* scaler.tsx - what the autoscaler sees, decided, and why. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { call, usePolled } from "./api";
import { useEvents } from "./events";
import type { Decision, Explained, Scaler as State } from "./model";
import { amount, duration, moment, percent } from "./text";
import { Badge, Empty, Figure, Panel, Problem, Table } from "./ui";

const kinds: Record<string, "good" | "busy" | "bad" | "plain"> = {
  done: "good", moving: "busy", beginning: "busy", failed: "bad", lost: "bad",
};

const MODES: [string, string][] = [
  ["off", "Off"], ["advise", "Advise only"], ["auto", "Act by itself"],
];

/* What was chosen stands until the controller says how it is. */
function Mode(props: { state: State; done: () => void }) {
  const [error, setError] = useState<Error>();
  const [chosen, setChosen] = useState<string>();
  useEffect(() => setChosen(undefined), [props.state.mode]);
  const choose = async (mode: string) => {
    setChosen(mode);
    try {
      await call("scaler", "PUT", { mode });
      setError(undefined);
      props.done();
    } catch (e) {
      setChosen(undefined);
      setError(e as Error);
    }
  };

  return (
    <fieldset class="modes">
      <legend>Mode</legend>
      {MODES.map(([mode, text]) => (
        <label key={mode}><input type="radio" name="mode" value={mode} checked={(chosen ?? props.state.mode) === mode}
          onChange={() => choose(mode)} /> {text}</label>
      ))}
      <Problem error={error} />
    </fieldset>
  );
}

/* What it was made from, and whether that still says the same. */
function Explain(props: { number: number }) {
  const [open, setOpen] = useState(false);
  const [is, setIs] = useState<Explained>();
  const [error, setError] = useState<Error>();
  const toggle = async (now: boolean) => {
    setOpen(now);
    if (!now || is) return;
    try {
      setIs(await call<Explained>(`scaler/decisions/${props.number}`));
    } catch (e) {
      setError(e as Error);
    }
  };

  return (
    <details open={open} onToggle={(e) => toggle(e.currentTarget.open)}>
      <summary>made from</summary>
      <Problem error={error} />
      {is && <ul>{is.world.shards.map((s) => <li key={s.name}>{s.name}:{" "}
        {amount(s.mean.statements)} statements/s, CPU {percent(s.mean.cpu)}
        {s.statements && `, ${amount(s.statements.peak)} foreseen in ${
          duration(s.statements.in_s)} (off by ${percent(s.statements.error)})`}</li>)}
        <li>{is.replayed ? "Decided once more it is the same."
          : "Decided once more it would be nothing."}</li></ul>}
    </details>
  );
}

export function Scaler() {
  const state = usePolled<State>("scaler", 5000);
  const decisions = usePolled<{ decisions: Decision[] }>("scaler/decisions", 5000);
  const s = state.data;
  useEvents("decision", useCallback(() => decisions.again(), []));
  useEvents("scaler", useCallback(() => state.again(), []));
  const now = Date.now() / 1000;

  return (
    <>
      <Problem error={state.error} />
      {s && <Panel title="Autoscaler">
        {s.stopped && <p class="problem" role="alert">It has stopped itself: {s.stopped}</p>}
        <Mode state={s} done={state.again} />
        <dl class="figures">
          <Figure name="Next look in" value={duration(Math.max(0, s.next_check_s - now))} />
          <Figure name="Moves today" value={String(s.moves_today)} />
          <Figure name="Hot shards" value={String(s.shards.filter((x) => x.state === "hot").length)} />
          <Figure name="Cold shards" value={String(s.shards.filter((x) => x.state === "cold").length)} />
        </dl>
      </Panel>}
      <Panel title="Decisions" note="with their reasons, newest first">
        {(decisions.data?.decisions.length ?? 0) === 0
          ? <Empty>Nothing had to be decided yet.</Empty>
          : <Table caption="Decisions" rows={decisions.data!.decisions} keyOf={(d) => d.number}
                   columns={[
              { name: "No.", number: true, cell: (d) => d.number },
              { name: "When", cell: (d) => moment(d.at_s) },
              { name: "Decision", cell: (d) => d.action },
              { name: "Shard", cell: (d) => d.shard ?? "" },
              { name: "Why", cell: (d) => <>{d.text}{d.error &&
                  <span class="problem"> {d.error}</span>}<Explain number={d.number} /></> },
              { name: "State", cell: (d) => <Badge kind={kinds[d.state] ?? "plain"}>{d.state}</Badge> },
              { name: "Job", number: true, cell: (d) => d.job ?? "" },
            ]} />}
      </Panel>
    </>
  );
}
