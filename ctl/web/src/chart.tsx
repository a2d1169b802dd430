/* chart.tsx - lines over time, by uPlot; the colours are the page's. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

export interface Line {
  name: string;
  colour: string; /* a CSS colour or var() */
  values: (number | null)[];
}

function resolved(element: Element, colour: string): string {
  const match = /^var\((--[\w-]+)\)$/.exec(colour);
  return match ? getComputedStyle(element).getPropertyValue(match[1]!).trim() : colour;
}

function options(element: HTMLElement, lines: Line[], format: (n: number) => string): uPlot.Options {
  const ink = resolved(element, "var(--faint)");
  const grid = resolved(element, "var(--line)");
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  return {
    width: element.clientWidth,
    height: 190,
    legend: { show: false },
    cursor: { points: { size: 6 } },
    scales: { y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [axis, { ...axis, size: 62, values: (_u, ticks) => ticks.map(format) }],
    series: [{}, ...lines.map((l) => ({
      label: l.name, stroke: resolved(element, l.colour), width: 2, spanGaps: false,
      points: { show: false },
    }))],
  };
}

export function Chart(props: { name: string; times: number[]; lines: Line[];
                               format: (n: number) => string }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = props.lines.map((l) => l.name + l.colour).join("\n");
  const data = [props.times, ...props.lines.map((l) => l.values)] as uPlot.AlignedData;
  const latest = useRef(data);

  latest.current = data;
  useEffect(() => {
    const element = box.current!;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element, props.lines, props.format), latest.current, element);
    };
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    const size = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: 190 }));
    const theme = new MutationObserver(make);

    make();
    size.observe(element);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    dark.addEventListener("change", make);
    return () => {
      size.disconnect();
      theme.disconnect();
      dark.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [data]);

  const now = props.lines.map((l) => {
    const last = l.values.findLast((v) => v !== null);
    return `${l.name} ${last === undefined || last === null ? "unknown" : props.format(last)}`;
  });
  return (
    <figure class="chart">
      <figcaption>
        <strong>{props.name}</strong>
        {props.lines.length > 1 && props.lines.map((l) =>
          <span class="key" key={l.name}><i style={{ background: l.colour }} />{l.name}</span>)}
      </figcaption>
      <div ref={box} role="img" aria-label={`${props.name}; now: ${now.join(", ")}`} />
    </figure>
  );
}
