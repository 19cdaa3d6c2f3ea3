/**
 * Pictures of matrices and runs: SVG, PNG, and pages of HTML.
 */
export { plot, Picture, type PictureOptions, type PlotOptions } from '../report/picture.js';
export { report, type ReportOptions } from '../report/report.js';
export type { Figure } from '../report/charts/draw.js';
export type { ChartTable } from '../report/charts/chart.js';
export type { MatrixPictures } from '../report/records/matrix.js';
export type { RunRecord } from '../report/records/table.js';
export type { Subject } from '../report/view.js';
export type { Theme } from '../report/svg.js';
