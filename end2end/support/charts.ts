import type { Page } from "@playwright/test";

export type Point = [time: number, value: number];

export interface Series {
  name: string;
  points: Point[];
}

/** Keeps what the page hands to its chart library, by widget. */
export async function record(page: Page) {
  await page.addInitScript(() => {
    type Charts = typeof window.DashCharts;
    const options = new Map<string, string>();
    const widgets = new Map<number, string>();
    let charts: Charts;
    Object.defineProperty(window, "DashCharts", {
      get: () => charts,
      set: (real: Charts) => {
        charts = {
          ...real,
          mount(element, json, group) {
            const id = real.mount(element, json, group);
            const widget = element.closest("[data-widget]")?.getAttribute("data-widget") ?? "";
            widgets.set(id, widget);
            options.set(widget, json);
            return id;
          },
          set(id, json) {
            options.set(widgets.get(id) ?? "", json);
            real.set(id, json);
          },
        };
      },
    });
    window.chartOption = (widget) => options.get(widget);
  });
}

/** What a chart shows now; nothing while it is not drawn. */
export async function series(page: Page, widget: string): Promise<Series[]> {
  const json = await page.evaluate((widget) => window.chartOption(widget), widget);
  const drawn: { name: string; data: [number, number | null][] }[] = json ? JSON.parse(json).series : [];
  return drawn.map(({ name, data }) => ({ name, points: measured(data) }));
}

/** The points that were measured: without the gaps between them, and without the end of the stroke that stands for a point alone. */
function measured(line: [number, number | null][]): Point[] {
  const isStroke = (i: number) => {
    const alone = i === 1 || line[i - 2]?.[1] === null;
    const ends = i === line.length - 1 || line[i + 1][1] === null;
    return alone && ends && line[i - 1]?.[1] === line[i][1];
  };
  return line.filter((point, i): point is Point => point[1] !== null && !isStroke(i));
}

declare global {
  interface Window {
    DashCharts: {
      mount(element: HTMLElement, json: string, group: string): number;
      set(id: number, json: string): void;
    };
    chartOption(widget: string): string | undefined;
  }
}
