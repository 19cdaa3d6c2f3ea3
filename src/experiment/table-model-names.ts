/**
 * Names of a table's networks of layers: apart from the networks, which load the layers.
 */

/** All of them (table-models.ts). */
export const TABLE_MODEL_NAMES = ['simple-cnn', 'resnet8', 'transformer'] as const;
/** The name of a model. */
export type TableModelName = (typeof TABLE_MODEL_NAMES)[number];
/** Samples that tables of each take unless asked otherwise. */
export const TABLE_MODEL_SAMPLES: Readonly<Record<TableModelName, number>> = {
  'simple-cnn': 100,
  resnet8: 32,
  transformer: 60,
};
