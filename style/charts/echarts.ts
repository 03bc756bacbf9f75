// Only what is in use: every import here is bytes that each visitor loads.
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendScrollComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

echarts.use([LineChart, BarChart, GridComponent, TooltipComponent, LegendScrollComponent, CanvasRenderer]);

export { echarts };
