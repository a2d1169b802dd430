/* events.ts - what happens, as the controller tells it (GET /v1/events): one stream for all parts
 * of the page. The browser's EventSource cannot send a token, so the stream is read by fetch. */
import { useEffect } from "preact/hooks";
import { token } from "./api";

export type Heard = (data: unknown) => void;

const listeners = new Map<string, Set<Heard>>();
let stream: AbortController | undefined;
let last = "";

function tell(event: string, data: string): void {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return;
  }
  for (const name of event === "reset" ? [...listeners.keys()] : [event])
    for (const hear of listeners.get(name) ?? []) hear(event === "reset" ? undefined : value);
}

function understand(block: string): void {
  let event = "message";
  let data = "";

  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
    else if (line.startsWith("id: ")) last = line.slice(4);
  }
  if (data) tell(event, data);
}

async function listen(abort: AbortController): Promise<void> {
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  const value = token();
  if (value) headers.Authorization = `Bearer ${value}`;
  if (last) headers["Last-Event-ID"] = last;
  const answer = await fetch("/v1/events", { headers, signal: abort.signal });
  if (!answer.ok || !answer.body) throw new Error(`status ${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value: text } = await reader.read();
    if (done) return;
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    blocks.forEach(understand);
  }
}

/* As long as somebody listens: the controller ends streams now and then, and may be away. What is
 * asked again and again anyway makes up for what is missed. */
async function keep(abort: AbortController): Promise<void> {
  while (!abort.signal.aborted) {
    try {
      await listen(abort);
    } catch {
      /* it is tried again */
    }
    await new Promise((go) => window.setTimeout(go, 2000));
  }
}

/* Calls `hear` with the data of each such event; with undefined when some may have been missed. */
export function useEvents(event: string, hear: Heard): void {
  useEffect(() => {
    const all = listeners.get(event) ?? new Set<Heard>();
    listeners.set(event, all.add(hear));
    if (!stream) {
      stream = new AbortController();
      void keep(stream);
    }
    return () => {
      all.delete(hear);
      if (all.size === 0) listeners.delete(event);
      window.setTimeout(() => {
        if (listeners.size > 0) return;
        stream?.abort();
        stream = undefined;
      }, 1000);
    };
  }, [event, hear]);
}
