/**
 * Functions that open what computes, teams, ranks and devices, and the options they take, by name.
 */
import * as hmatrix from '#hmatrix/index.js';
import type { Entry } from './data-options.js';

/** Of `options.test.ts`. */
export const WORKER_OPTIONS: Readonly<Record<string, readonly Entry[]>> = {
  openTeam: [['workers', (o) => hmatrix.openTeam(o)]],
  openDevice: [
    ['memoryLimit', (o) => hmatrix.devices.openDevice('cpu', o)],
    ['signal', (o) => hmatrix.devices.openDevice('cpu', {}, o)],
  ],
  openMpi: [['largestCount', (o) => hmatrix.teams.openMpi(o)]],
  Team: [['stallSeconds', (o) => hmatrix.teams.Team.open(o)]],
};
