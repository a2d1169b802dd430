/* scaler.tsx - what the autoscaler sees, decided, and why. */
import { useState } from "preact/hooks";
import { call, usePolled } from "./api";
import type { Decision, Scaler as State } from "./model";
import { duration, moment } from "./text";
import { Badge, Empty, Figure, Panel, Problem, Table } from "./ui";

const kinds: Record<string, "good" | "busy" | "bad" | "plain"> = {
  done: "good", moving: "busy", beginning: "busy", failed: "bad", lost: "bad",
};

const MODES: [string, string][] = [
  ["off", "Off"], ["advise", "Advise only"], ["auto", "Act by itself"],
];

function Mode(props: { state: State; done: () => void }) {
  const [error, setError] = useState<Error>();
  const choose = async (mode: string) => {
    try {
      await call("scaler", "PUT", { mode });
      setError(undefined);
      props.done();
    } catch (e) {
      setError(e as Error);
    }
  };

  return (
    <fieldset class="modes">
      <legend>Mode</legend>
      {MODES.map(([mode, text]) => (
        <label key={mode}><input type="radio" name="mode" value={mode} checked={props.state.mode === mode}
          onChange={() => choose(mode)} /> {text}</label>
      ))}
      <Problem error={error} />
    </fieldset>
  );
}

export function Scaler() {
  const state = usePolled<State>("scaler", 5000);
  const decisions = usePolled<{ decisions: Decision[] }>("scaler/decisions", 5000);
  const s = state.data;
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
                  <span class="problem"> {d.error}</span>}</> },
              { name: "State", cell: (d) => <Badge kind={kinds[d.state] ?? "plain"}>{d.state}</Badge> },
              { name: "Job", number: true, cell: (d) => d.job ?? "" },
            ]} />}
      </Panel>
    </>
  );
}
