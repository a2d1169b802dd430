/* jobs.ts - all jobs, and the news of each as it comes. */
import { useCallback, useState } from "preact/hooks";
import { usePolled, type Polled } from "./api";
import { useEvents } from "./events";
import type { Job } from "./model";

export function useJobs(): Polled<{ jobs: Job[] }> {
  const polled = usePolled<{ jobs: Job[] }>("jobs", 3000, () => setNews(new Map()));
  const [news, setNews] = useState<Map<number, Job>>(new Map());
  const hear = useCallback((data: unknown) => {
    if (data) setNews((old) => new Map(old).set((data as Job).number, data as Job));
  }, []);

  useEvents("job", hear);
  if (!polled.data) return polled;
  const known = new Set(polled.data.jobs.map((j) => j.number));
  const added = [...news.values()].filter((j) => !known.has(j.number)).reverse();
  const jobs = [...added, ...polled.data.jobs.map((j) => ({ ...j, ...news.get(j.number) }))];
  return { ...polled, data: { jobs } };
}
