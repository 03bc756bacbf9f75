// How charts look. What they show comes as an option from the page (app/src/chart); colours come from the tokens in
// main.css, so that charts and page cannot disagree.

type Json = any;

/** Tokens of the present theme. */
export function tokens(): (name: string) => string {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
}

const COMPACT = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });
const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

/** `{value} MiB` or, with two decimals, `{value:2} MiB`, as a function: a template is data, a function in JSON would
 * need `eval`. */
function formatter(template: string): (value: unknown) => string {
  const [, before = "", decimals, after = ""] = /^(.*)\{value(?::(\d))?\}(.*)$/.exec(template) ?? [];
  const exact = decimals && new Intl.NumberFormat(undefined, { minimumFractionDigits: +decimals, maximumFractionDigits: +decimals });
  return (value) => {
    if (typeof value !== "number") return "–";
    const text = (exact || (Math.abs(value) >= 1_000 ? WHOLE : COMPACT)).format(value);
    return before + text + after;
  };
}

/** Completes an option with colours, fonts and everything that is the same for all charts. */
export function dress(option: Json): Json {
  const token = tokens();
  const font = getComputedStyle(document.body).fontFamily;
  const resolve = (color?: string) => color?.replace(/^var\((--[\w-]+)\)$/, (_, name) => token(name));
  const label = { color: token("--ink-3"), fontFamily: font, fontSize: 11 };
  const line = { lineStyle: { color: token("--line") } };

  const axis = (a: Json) => ({
    ...a,
    axisLabel: { hideOverlap: true, ...label, ...a.axisLabel },
    axisTick: { show: false },
    axisLine: { show: a.type === "time", ...line },
    splitLine: { show: a.type !== "time", ...line },
  });

  const template = option.tooltip?.valueFormatter ?? "{value}";
  return {
    ...option,
    animation: false,
    textStyle: { fontFamily: font },
    grid: { left: 4, right: 12, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel", ...option.grid?.[0] },
    xAxis: axis(option.xAxis),
    yAxis: axis(option.yAxis),
    legend: option.legend && {
      top: 0,
      left: 0,
      right: 0,
      padding: 4,
      itemWidth: 8,
      itemHeight: 8,
      itemGap: 14,
      icon: "circle",
      inactiveColor: token("--line-strong"),
      // With a line height, or the pages of a long legend are cut above their letters.
      textStyle: { ...label, color: token("--ink-2"), fontSize: 12, lineHeight: 16 },
      pageIconSize: 10,
      pageIconColor: token("--ink-2"),
      pageIconInactiveColor: token("--line"),
      pageTextStyle: label,
      ...option.legend,
    },
    tooltip: {
      ...option.tooltip,
      // Drawn on the canvas: no markup is made of names that came with the data.
      renderMode: "richText",
      confine: true,
      order: "valueDesc",
      transitionDuration: 0,
      valueFormatter: formatter(template),
      backgroundColor: token("--surface"),
      borderColor: token("--line"),
      borderWidth: 1,
      padding: [8, 10],
      textStyle: { color: token("--ink"), fontFamily: font, fontSize: 12 },
      axisPointer: {
        type: option.series?.[0]?.type === "bar" ? "shadow" : "line",
        lineStyle: { color: token("--line-strong"), type: "solid", width: 1 },
        shadowStyle: { color: token("--line-strong"), opacity: 0.15 },
        label: { show: false },
      },
    },
    series: (option.series ?? []).map((s: Json) => {
      const color = resolve(s.itemStyle?.color);
      return {
        ...s,
        itemStyle: { ...s.itemStyle, color },
        emphasis: { disabled: true },
        ...(s.type === "bar"
          ? { barMaxWidth: 32, barMinWidth: 1, barCategoryGap: "15%" }
          : {
              symbol: "circle",
              symbolSize: 4,
              lineStyle: { width: 1.5, cap: "round", join: "round", color, ...s.lineStyle },
              areaStyle: s.areaStyle && { color, opacity: 0.08, ...s.areaStyle },
            }),
      };
    }),
  };
}
