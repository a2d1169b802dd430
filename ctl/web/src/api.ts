/* api.ts - requests to the controller, and values that are asked for again and again. */
import { useEffect, useState } from "preact/hooks";

export class ApiError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

const KEY = "shardd.token";
const signedOut = new Set<() => void>();

export function token(): string | null {
  return sessionStorage.getItem(KEY);
}

export function signIn(value: string): void {
  sessionStorage.setItem(KEY, value.trim());
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  for (const tell of signedOut) tell();
}

/* Calls `tell` when the controller wants a token, or another one. */
export function onSignedOut(tell: () => void): () => void {
  signedOut.add(tell);
  return () => signedOut.delete(tell);
}

async function said(answer: Response): Promise<string> {
  try {
    const body = await answer.json();
    return String(body?.error?.message ?? answer.statusText);
  } catch {
    return answer.statusText || `status ${answer.status}`;
  }
}

export async function call<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const value = token();

  if (value) headers.Authorization = `Bearer ${value}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(`/v1/${path}`, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) {
    const error = new ApiError(answer.status, await said(answer));
    if (answer.status === 401) signOut();
    throw error;
  }
  return (await answer.json()) as T;
}

export interface Polled<T> {
  data?: T;
  error?: ApiError | Error;
  again: () => void;
}

/* The value at `path`, every `ms` while the page is seen. The last good one stays when the
 * controller is away. */
export function usePolled<T>(path: string, ms: number, got?: (value: T) => void): Polled<T> {
  const [state, setState] = useState<{ path: string; data?: T; error?: Error }>({ path });
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    let gone = false;
    let timer: number | undefined;

    const ask = async () => {
      if (!document.hidden) {
        try {
          const data = await call<T>(path);
          if (gone) return;
          got?.(data);
          setState({ path, data });
        } catch (error) {
          if (gone) return;
          setState((old) => ({ path, data: old.path === path ? old.data : undefined,
                               error: error as Error }));
        }
      }
      if (!gone) timer = window.setTimeout(ask, ms);
    };
    const seen = () => {
      if (!document.hidden) {
        window.clearTimeout(timer);
        void ask();
      }
    };
    void ask();
    document.addEventListener("visibilitychange", seen);
    return () => {
      gone = true;
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [path, ms, turn]);

  return {
    data: state.path === path ? state.data : undefined,
    error: state.error,
    again: () => setTurn((n) => n + 1),
  };
}
