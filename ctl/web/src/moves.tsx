/* moves.tsx - what is under way, and what was: moves with their progress, all other jobs. */
import { useState } from "preact/hooks";
import { call } from "./api";
import { useJobs } from "./jobs";
import type { Job } from "./model";
import { amount, duration, moment } from "./text";
import { Badge, Empty, Panel, Problem, Table } from "./ui";

export function isRunning(job: Job): boolean {
  return job.state === "running" || job.state === "paused";
}

const kinds: Record<string, "good" | "busy" | "bad" | "plain"> = {
  done: "good", running: "busy", paused: "busy", failed: "bad", cancelled: "plain",
};

function State(props: { job: Job }) {
  return <Badge kind={kinds[props.job.state] ?? "plain"}>{props.job.state}</Badge>;
}

function facts(job: Job): string[] {
  const p = job.progress ?? {};
  const out: string[] = [];

  if (p.tables) out.push(`${p.tables_done ?? 0} of ${p.tables} tables`);
  if (p.rows !== undefined) out.push(`${amount(p.rows)} of ~${amount(p.rows_total)} rows`);
  if (p.rows_per_s) out.push(`${amount(p.rows_per_s)} rows/s`);
  if (p.applied) out.push(`${amount(p.applied)} changes applied`);
  if (p.lag_s !== undefined) out.push(`${p.lag_s.toFixed(1)} s behind`);
  if (p.left_s !== undefined) out.push(`${duration(p.left_s)} left`);
  if (p.slowed) out.push(`held back: ${p.slowed}`);
  return out;
}

export function MoveProgress(props: { job: Job }) {
  const { job } = props;
  const p = job.progress ?? {};
  const share = p.rows !== undefined && p.rows_total ? Math.min(1, p.rows / p.rows_total) : undefined;

  return (
    <div class="move">
      <p>
        <strong>Job {job.number}</strong> {job.what} <State job={job} />{" "}
        <Badge kind="plain">{job.phase ?? "begins"}</Badge>
      </p>
      <progress max={1} value={job.phase === "copy" ? share : job.phase === "prepare" ? 0 : 1}
                aria-label={`Rows of job ${job.number} that are copied`} />
      <p class="note">{facts(job).join(" · ")}</p>
      {(job.problem || job.error) && <p class="problem">{job.problem || job.error}</p>}
    </div>
  );
}

/* What one may ask of a move, by what it does now. */
function verbs(job: Job): [string, string][] {
  if (job.kind !== "move" || !isRunning(job)) return [];
  if (job.phase === "reverse") return [["reverse", "Switch back"], ["complete", "Remove old copies"]];
  const out: [string, string][] = [job.state === "paused" ? ["resume", "Go on"] : ["pause", "Pause"]];
  if (job.phase === "follow") out.push(["cutover", "Switch now"]);
  out.push(["cancel", "Cancel"]);
  return out;
}

const sure = new Set(["cancel", "complete", "reverse"]);

function Ask(props: { job: Job; done: () => void }) {
  const [error, setError] = useState<Error>();
  const ask = async (verb: string, text: string) => {
    if (sure.has(verb) && !window.confirm(`${text}: job ${props.job.number}?`)) return;
    try {
      await call(`jobs/${props.job.number}/${verb}`, "POST", {});
      setError(undefined);
      props.done();
    } catch (e) {
      setError(e as Error);
    }
  };

  return (
    <>
      <p class="buttons">{verbs(props.job).map(([verb, text]) =>
        <button key={verb} type="button" onClick={() => ask(verb, text)}>{text}</button>)}</p>
      <Problem error={error} />
    </>
  );
}

export function Moves() {
  const jobs = useJobs();
  const all = jobs.data?.jobs ?? [];
  const moving = all.filter((j) => j.kind === "move" && isRunning(j));

  return (
    <>
      <Problem error={jobs.error} />
      <Panel title="Under way">
        {moving.length === 0 && <Empty>No rows are moving.</Empty>}
        {moving.map((j) => <div key={j.number}><MoveProgress job={j} />
          <Ask job={j} done={jobs.again} /></div>)}
      </Panel>
      <Panel title="Jobs" note="newest first">
        <Table caption="Everything that was changed by a job" rows={all} keyOf={(j) => j.number}
               columns={[
          { name: "Job", number: true, cell: (j) => j.number },
          { name: "Began", cell: (j) => moment(j.started) },
          { name: "Took", number: true, cell: (j) => j.ended ? duration(j.ended - j.started) : "" },
          { name: "Who", cell: (j) => j.who },
          { name: "What", cell: (j) => <span class="what">{j.what}</span> },
          { name: "State", cell: (j) => <State job={j} /> },
          { name: "", cell: (j) => j.error ? <span class="problem">{j.error}</span> : j.phase ?? "" },
        ]} />
      </Panel>
    </>
  );
}
