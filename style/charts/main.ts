// The page's way to ECharts: `window.DashCharts`, called from app/src/components/widget/canvas.rs.
//
// Options come as JSON text. A chart draws at most once a frame, and after its first time not at all while it is out of
// sight: it then keeps the newest option only. It follows the size of its element and the page's colours by itself.
import { echarts } from "./echarts";
import { dress } from "./look";

type Chart = {
  element: HTMLElement;
  instance: ReturnType<typeof echarts.init>;
  /** The newest option, as it came. */
  json: string;
  /** It is not on the canvas yet. */
  dirty: boolean;
  visible: boolean;
  drawn: boolean;
};

const charts = new Map<number, Chart>();
const ids = new WeakMap<Element, number>();
let nextId = 1;
let frame = 0;
/** Milliseconds of a frame; charts for which there is none left are drawn with the next. */
const BUDGET = 8;

function draw() {
  frame = 0;
  const begun = performance.now();
  for (const chart of charts.values()) {
    if (!chart.dirty || (chart.drawn && !chart.visible) || !chart.element.clientWidth) continue;
    // A page that waits for all of its charts does not answer a click meanwhile.
    if (performance.now() - begun > BUDGET) return schedule();
    chart.dirty = false;
    chart.drawn = true;
    // Series that are not in the new option go; zoom, tooltip and hidden legend entries stay.
    chart.instance.setOption(dress(JSON.parse(chart.json)), { replaceMerge: ["series"], lazyUpdate: false });
  }
}

function schedule() {
  frame ||= requestAnimationFrame(draw);
}

function each(entries: readonly { target: Element }[], act: (chart: Chart, entry: any) => void) {
  for (const entry of entries) {
    const chart = charts.get(ids.get(entry.target) ?? 0);
    if (chart) act(chart, entry);
  }
  schedule();
}

const sight = new IntersectionObserver(
  (entries) =>
    each(entries, (chart, entry) => {
      chart.visible = entry.isIntersecting;
    }),
  { rootMargin: "200px" },
);

const size = new ResizeObserver((entries) =>
  each(entries, (chart) => {
    const { clientWidth: width, clientHeight: height } = chart.element;
    if (width && height && (width !== chart.instance.getWidth() || height !== chart.instance.getHeight())) {
      chart.instance.resize({ width, height });
    }
  }),
);

function repaint() {
  for (const chart of charts.values()) chart.dirty = true;
  schedule();
}

new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

const DashCharts = {
  /** Charts of one `group` move their axis pointers together. Answers the id that the other functions ask for. */
  mount(element: HTMLElement, json: string, group: string): number {
    const id = nextId++;
    const instance = echarts.init(element, null, { renderer: "canvas" });
    instance.group = group;
    echarts.connect(group);
    charts.set(id, { element, instance, json, dirty: true, visible: false, drawn: false });
    ids.set(element, id);
    sight.observe(element);
    size.observe(element);
    return id;
  },

  set(id: number, json: string) {
    const chart = charts.get(id);
    if (!chart || chart.json === json) return;
    chart.json = json;
    chart.dirty = true;
    schedule();
  },

  dispose(id: number) {
    const chart = charts.get(id);
    if (!chart) return;
    sight.unobserve(chart.element);
    size.unobserve(chart.element);
    charts.delete(id);
    chart.instance.dispose();
  },
};

declare global {
  interface Window {
    DashCharts: typeof DashCharts;
  }
}

window.DashCharts = DashCharts;
