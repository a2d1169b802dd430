/* text.ts - numbers and times as people read them. */
const UNITS = ["", "k", "M", "G", "T", "P"];

/* "12.3 k"; "–" when it is not known. */
export function amount(n: number | null | undefined, digits = 1): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return "–";
  let i = 0;
  let at = Math.abs(n);
  while (at >= 1000 && i < UNITS.length - 1) {
    at /= 1000;
    i++;
  }
  const text = i === 0 ? String(Math.round(at * 10) / 10) : at.toFixed(at >= 100 ? 0 : digits);
  return `${n < 0 ? "−" : ""}${text}${i ? " " + UNITS[i] : ""}`;
}

export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return "–";
  let i = 0;
  let at = n;
  while (at >= 1024 && i < UNITS.length - 1) {
    at /= 1024;
    i++;
  }
  return `${i === 0 ? Math.round(at) : at.toFixed(at >= 100 ? 0 : 1)} ${i ? UNITS[i] + "iB" : "B"}`;
}

export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

export function milliseconds(us: number | null | undefined): string {
  if (us === null || us === undefined || !Number.isFinite(us)) return "–";
  const ms = us / 1000;
  return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
}

export function duration(s: number | null | undefined): string {
  if (s === null || s === undefined || !Number.isFinite(s)) return "–";
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days`;
}

export function moment(seconds: number): string {
  const at = new Date(seconds * 1000);
  const same = at.toDateString() === new Date().toDateString();
  return same ? at.toLocaleTimeString() : at.toLocaleString();
}
