/* Bars of the figures that lie beside the chart as JSON. The table below says the same. */
"use strict";
(function () {
  if (!window.echarts) return;
  document.querySelectorAll("[data-chart]").forEach(function (box) {
    const data = JSON.parse(document.getElementById(box.dataset.chart).textContent);
    box.style.height = Math.max(180, data.names.length * 24 + 40) + "px";
    const style = getComputedStyle(document.body);
    const chart = window.echarts.init(box, null, { renderer: "canvas" });
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: style.fontFamily },
      grid: { left: 4, right: 44, top: 6, bottom: 6, containLabel: true },
      xAxis: { type: "value", minInterval: 1, axisLabel: { color: "#52616f" }, splitLine: { lineStyle: { color: "#e6eaee" } } },
      yAxis: {
        type: "category",
        inverse: true,
        data: data.names,
        axisTick: { show: false },
        axisLabel: { color: "#1b2733", interval: 0 },
        axisLine: { lineStyle: { color: "#b9c4ce" } },
      },
      series: [
        {
          type: "bar",
          data: data.values,
          barMaxWidth: 14,
          itemStyle: { color: "#0b5cad", borderRadius: [0, 3, 3, 0] },
          label: { show: true, position: "right", color: "#1b2733" },
        },
      ],
    });
    window.addEventListener("resize", () => chart.resize());
  });
})();
