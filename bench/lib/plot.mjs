import { isOurs, nameOf } from "../contenders.mjs";
import { format } from "./table.mjs";

const width = 760;

// An image in a page cannot use the page's colors, so it asks for those of the reader's system.
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .faint { fill: #59636e; font-size: 12px; }
  .peer { fill: #a9b4c0; stroke: #a9b4c0; }
  .control { fill: #59636e; stroke: #59636e; }
  .ours { fill: #d9480f; stroke: #d9480f; }
  .spread { stroke: #1f2328; stroke-width: 1.5; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .line { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .faint { fill: #9198a1; }
    .peer { fill: #57606a; stroke: #57606a; }
    .control { fill: #9198a1; stroke: #9198a1; }
    .ours { fill: #ff8a4c; stroke: #ff8a4c; }
    .spread { stroke: #e6edf3; }
    .grid { stroke: #30363d; }
  }
`;

/**
 * A plot as SVG.
 *
 * @param {import("./measure.mjs").Plot} plot
 * @param {import("./measure.mjs").Measure} measure
 * @param {import("./measure.mjs").Groups} groups
 */
export function draw(plot, measure, groups) {
  const { height, body } = plot.kind === "lines" ? lines(plot, measure, groups) : bars(plot, measure, groups);
  const { title: of, unit } = /** @type {import("./measure.mjs").Figure} */ (measure.figures[plot.figure]);
  const group = plot.kind === "bars" && measure.by !== undefined ? `, ${format(Number(plot.group))} ${measure.by}` : "";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(measure.title)}">
<style>${style}</style>
<text class="title" x="8" y="22">${escaped(`${measure.title}${group}`)}</text>
<text class="faint" x="8" y="42">${escaped(`${of}, ${unit}${isMore(unit) ? "; more is better" : "; less is better"}`)}</text>
${body}
</svg>
`;
}

/**
 * One bar for each contender, with its ratio to the control and the middle half of the rounds.
 *
 * @param {import("./measure.mjs").Plot} plot
 * @param {import("./measure.mjs").Measure} measure
 * @param {import("./measure.mjs").Groups} groups
 */
function bars({ figure, group = "" }, { control, figures }, groups) {
  const results = groups[group] ?? {};
  const rows = Object.entries(results).flatMap(([contender, all]) => {
    const summary = all[figure];
    return summary === undefined ? [] : [{ contender, ...summary }];
  });
  const more = isMore(figures[figure]?.unit ?? "");
  rows.sort((a, b) => (more ? b.median - a.median : a.median - b.median));
  const base = results[control]?.[figure]?.median ?? Number.NaN;
  const most = Math.max(...rows.map(({ high }) => high));
  const [left, right, top, step] = [290, 160, 58, 26];
  const scale = (/** @type {number} */ value) => left + (Math.max(0, value) / most) * (width - left - right);
  const parts = rows.map(({ contender, median, low, high }, index) => {
    const y = top + index * step;
    const label = `${format(median)} · ${(median / base).toFixed(2)} ×`;
    return `<text x="${left - 10}" y="${y + 15}" text-anchor="end">${escaped(nameOf(contender))}</text>
<rect class="${kindOf(contender)}" x="${left}" y="${y + 2}" width="${(scale(median) - left).toFixed(1)}" height="${step - 8}" rx="2"/>
<line class="spread" x1="${scale(low).toFixed(1)}" x2="${scale(high).toFixed(1)}" y1="${y + 11}" y2="${y + 11}"/>
<text x="${(scale(Math.max(median, high)) + 8).toFixed(1)}" y="${y + 15}">${label}</text>`;
  });
  return { height: top + rows.length * step + 8, body: parts.join("\n") };
}

/**
 * One line for each contender over the groups, both axes logarithmic.
 *
 * @param {import("./measure.mjs").Plot} plot
 * @param {import("./measure.mjs").Measure} measure
 * @param {import("./measure.mjs").Groups} groups
 */
function lines({ figure }, { by }, groups) {
  const xs = Object.keys(groups).map(Number);
  const series = Object.keys(groups[xs[0] ?? ""] ?? {}).map((contender) => ({
    contender,
    points: xs.flatMap((x) => {
      const y = groups[x]?.[contender]?.[figure]?.median;
      return y === undefined ? [] : [{ x, y }];
    }),
  }));
  const ys = series.flatMap(({ points }) => points.map(({ y }) => y));
  const [left, right, top, bottom] = [70, 290, 66, 420];
  const x = logarithmic(Math.min(...xs), Math.max(...xs), left, width - right);
  const y = logarithmic(Math.min(...ys), Math.max(...ys), bottom, top);
  const ticks = ticksBetween(Math.min(...ys), Math.max(...ys)).map(
    (value) => `<line class="grid" x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}"/>
<text class="faint" x="${left - 8}" y="${Number(y(value)) + 4}" text-anchor="end">${label(value)}</text>`,
  );
  const below = xs.map(
    (value) => `<text class="faint" x="${x(value)}" y="${bottom + 24}" text-anchor="middle">${label(value)}</text>`,
  );
  const ends = spread(
    series.map(({ contender, points }) => ({ contender, y: Number(y(points.at(-1)?.y ?? Math.min(...ys))) })),
  );
  const drawn = series.map(({ contender, points }) => {
    const path = points.map((point) => `${x(point.x)},${y(point.y)}`).join(" ");
    const dots = points.map(
      (point) => `<circle class="${kindOf(contender)}" cx="${x(point.x)}" cy="${y(point.y)}" r="2.5"/>`,
    );
    const end = ends.find((one) => one.contender === contender)?.y ?? 0;
    return `<polyline class="line ${kindOf(contender)}" style="fill:none" points="${path}"/>
${dots.join("")}
<text x="${width - right + 12}" y="${end + 4}">${escaped(nameOf(contender))}</text>`;
  });
  const axis = `<text class="faint" x="${(left + width - right) / 2}" y="${bottom + 44}" text-anchor="middle">${escaped(by ?? "")}</text>`;
  return { height: bottom + 56, body: [...ticks, ...below, axis, ...drawn].join("\n") };
}

/** @param {number} from @param {number} to @param {number} start @param {number} end */
function logarithmic(from, to, start, end) {
  const share = (/** @type {number} */ value) => (from === to ? 0.5 : Math.log(value / from) / Math.log(to / from));
  return (/** @type {number} */ value) => (start + share(value) * (end - start)).toFixed(1);
}

/** 1, 2 and 5 of each power of ten. @param {number} from @param {number} to */
function ticksBetween(from, to) {
  const ticks = [];
  for (let power = 10 ** Math.floor(Math.log10(from)); power <= to; power *= 10) {
    for (const digit of [1, 2, 5]) if (digit * power >= from && digit * power <= to) ticks.push(digit * power);
  }
  return ticks;
}

/** Labels that would lie on each other are moved apart. @param {{ contender: string, y: number }[]} labels */
function spread(labels) {
  const sorted = labels.toSorted((a, b) => a.y - b.y);
  for (const [index, one] of sorted.entries()) one.y = Math.max(one.y, (sorted[index - 1]?.y ?? -99) + 16);
  return sorted;
}

/** @param {string} contender */
function kindOf(contender) {
  if (isOurs(contender)) return "ours";
  return nameOf(contender).startsWith("hand-written") ? "control" : "peer";
}

/** @param {string} unit */
function isMore(unit) {
  return unit.endsWith("/s");
}

/** @param {number} value */
function label(value) {
  return value >= 1_000 ? `${Number((value / 1_000).toPrecision(3))} k` : String(Number(value.toPrecision(3)));
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
