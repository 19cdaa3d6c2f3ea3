/**
 * The page: its sections share one worker, which hosts the library.
 */
import { openCard } from './card.js';
import { openComparison } from './compare.js';
import { Explorer } from './explore.js';
import { openHessian } from './hessian.js';
import { HostClient } from './host-client.js';
import { openDrawer } from '#hmatrix/report/charts/plot-library.js';

const host = new HostClient();
// What draws is loaded while the worker computes.
void openDrawer();
const { settings } = new Explorer(host);
openCard(host, settings);
openComparison(host, settings);
openHessian(host);
