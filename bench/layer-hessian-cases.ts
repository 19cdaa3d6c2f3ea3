/**
 * Networks of layers whose Gauss–Newton matrices are approximated at 1 and 5 % of the memory: the last convolution and
 * the scores of a ResNet-20, and one transformer layer, as `hmatrix table --model` makes them.
 */
import type { TableModelName } from '../src/experiment/model-names.js';

export interface LayerHessianCase {
  readonly name: string;
  readonly model: TableModelName;
}

export const LAYER_HESSIAN_CASES: readonly LayerHessianCase[] = (['resnet20', 'transformer-layer'] as const).map(
  (model) => ({ name: `layer-hessian-${model}`, model }),
);
