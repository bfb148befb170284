import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colour, font } from "../controls/paint";
import { useApp } from "../controls/useApp";
import type { RunEvent } from "../protocol";
import { app, series } from "../store/app";
import { showCount, showNumber } from "../store/number";

/** The range of the costs in view, with air around them. */
function rangeOf(log: boolean, low: number | null, high: number | null): uPlot.Range.MinMax {
  if (low === null || high === null || !Number.isFinite(high - low)) return log ? [0.1, 1] : [0, 1];
  if (log) return [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high * 1.0001))];
  const air = (high - low || Math.abs(high) || 1) * 0.08;
  return [low >= 0 ? Math.max(0, low - air) : low - air, high + air];
}

/** Steps are whole, and so are their marks. */
const WHOLE_STEPS = Array.from({ length: 13 }, (_, at) =>
  [1, 2, 5].map((one) => one * 10 ** at),
).flat();

function axes(): uPlot.Axis[] {
  const shared: uPlot.Axis = {
    stroke: () => colour("--text-2"),
    grid: { stroke: () => colour("--line-soft"), width: 1 },
    ticks: { show: false },
    font: font(11),
  };
  return [
    {
      ...shared,
      size: 28,
      incrs: WHOLE_STEPS,
      values: (_, ticks) => ticks.map((tick) => showCount(tick)),
    },
    {
      ...shared,
      size: 56,
      values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : showNumber(tick))),
    },
  ];
}

/** A quiet line at every step at which a value was set, with what it was set to. */
function drawEvents(plot: uPlot, events: RunEvent[]): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour("--warning");
  ctx.fillStyle = colour("--warning");
  ctx.lineWidth = ratio;
  ctx.font = font(10 * ratio);
  let free = Number.NEGATIVE_INFINITY;
  for (const { step, name, value } of events) {
    const x = plot.valToPos(step, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const words = `${name} ${showNumber(value)}`;
    const width = ctx.measureText(words).width;
    if (x < free) continue;
    const left = x + 4 * ratio + width > bbox.left + bbox.width;
    ctx.textAlign = left ? "right" : "left";
    ctx.fillText(words, x + (left ? -4 : 4) * ratio, bbox.top + 10 * ratio);
    free = x + width + 12 * ratio;
  }
  ctx.restore();
}

/** A point that stands alone, such as the first one, would else be no line at all. */
function drawLone(plot: uPlot): void {
  if (series.length !== 1) return;
  const x = plot.valToPos(series.steps[0] as number, "x", true);
  const y = plot.valToPos(series.values[0] as number, "y", true);
  plot.ctx.save();
  plot.ctx.fillStyle = colour("--accent");
  plot.ctx.beginPath();
  plot.ctx.arc(x, y, 3 * devicePixelRatio, 0, Math.PI * 2);
  plot.ctx.fill();
  plot.ctx.restore();
}

const data = (): uPlot.AlignedData => [
  series.steps.subarray(0, series.length),
  series.values.subarray(0, series.length),
];

function makePlot(host: HTMLElement, log: boolean, readout: HTMLElement): uPlot {
  const options: uPlot.Options = {
    width: host.clientWidth,
    height: host.clientHeight,
    padding: [10, 30, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false, setScale: true } },
    scales: {
      x: {
        time: false,
        range: (_, min, max) =>
          min === null || max <= min ? [min ?? 0, (min ?? 0) + 1] : [min, max],
      },
      y: {
        distr: log ? 3 : 1,
        range: (_, low, high) => rangeOf(log, low, high),
      },
    },
    axes: axes(),
    series: [
      {},
      {
        stroke: () => colour("--accent"),
        fill: () => (log ? "transparent" : colour("--accent-wash")),
        width: 1.6,
        pxAlign: 0,
        points: { show: false },
      },
    ],
    hooks: {
      draw: [
        (plot) => {
          drawEvents(plot, app.getState().run?.events ?? []);
          drawLone(plot);
        },
      ],
      setCursor: [
        (plot) => {
          const at = plot.cursor.idx;
          const inside = at !== null && at !== undefined && at < series.length;
          readout.textContent = inside
            ? `step ${showCount(series.steps[at] as number)}  ·  cost ${showNumber(series.values[at])}`
            : "";
        },
      ],
    },
  };
  return new uPlot(options, data(), host);
}

/** The cost over the steps, drawn from the series at most once per animation frame. */
export function CostChart() {
  const host = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLOutputElement>(null);
  const log = useApp((state) => state.logScale);
  const theme = useApp((state) => state.theme);
  const empty = useApp((state) => state.run === null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme is another drawing
  useEffect(() => {
    if (!host.current || !readout.current) return;
    const element = host.current;
    const plot = makePlot(element, log, readout.current);
    let drawn = series.version;
    let events = app.getState().run?.events;
    let frame = 0;
    const draw = () => {
      frame = 0;
      if (drawn === series.version && events === app.getState().run?.events) return;
      const zoomed = isZoomed(plot);
      drawn = series.version;
      events = app.getState().run?.events;
      plot.setData(data(), !zoomed);
      if (zoomed) plot.redraw();
    };
    const unsubscribe = app.subscribe(() => {
      frame ||= requestAnimationFrame(draw);
    });
    const resize = new ResizeObserver(() =>
      plot.setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    resize.observe(element);
    return () => {
      unsubscribe();
      cancelAnimationFrame(frame);
      resize.disconnect();
      plot.destroy();
    };
  }, [log, theme]);

  return (
    <div className={`chart${empty ? " empty" : ""}`} data-testid="chart-cost">
      <div className="chart-host" ref={host} role="img" aria-label="Cost over the steps" />
      <output className="chart-readout mono" ref={readout} />
      {empty && <p className="chart-empty">The cost appears here as soon as training starts.</p>}
    </div>
  );
}

/** Whether a person zoomed in: then new points must not move the view. */
function isZoomed(plot: uPlot): boolean {
  const shown = plot.data[0];
  const { min, max } = plot.scales.x ?? {};
  if (shown.length < 2 || min === undefined || max === undefined) return false;
  return min > (shown[0] as number) || max < (shown[shown.length - 1] as number);
}
