/**
 * The experiments by name.
 */
import { autoencoder } from './autoencoder.js';
import { bayesian } from './bayesian.js';
import { classifier } from './classifier.js';
import { dropout } from './dropout.js';
import type { Experiment } from './experiment.js';
import { cnn, mobilenet, resnet20 } from './image-networks.js';
import { tables } from './tables.js';
import { transfer } from './transfer.js';
import { translation } from './translation.js';
import { variational } from './variational.js';

/** All experiments. */
export const EXPERIMENTS: Readonly<Record<string, Experiment>> = {
  classifier,
  tables,
  autoencoder,
  variational,
  bayesian,
  dropout,
  transfer,
  cnn,
  resnet20,
  mobilenet,
  translation,
};
