/**
 * Small subjects of every kind, numbers with fractions, and the error that a call ends with.
 */
import * as hmatrix from '#hmatrix/index.js';

/** `count` numbers in (−1, 1), none of them whole. */
export function fractions(count: number, seed: number): Float64Array {
  const random = new hmatrix.random.RandomStream(seed);
  return Float64Array.from({ length: count }, () => 1.98 * (random.uniform() - 0.5) + 1e-3);
}

/** What a call throws or rejects with; undefined where it does neither. */
export async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

export const SIZE = 40;
const POINTS = { dimension: 2, count: SIZE, coordinates: fractions(2 * SIZE, 1) };
export const network = hmatrix.networks.defineNetwork({ widths: [3, 4, 2] });
const SAMPLES = 7;

export interface Fixtures {
  readonly team: hmatrix.Team;
  readonly points: typeof POINTS;
  readonly source: hmatrix.EntrySource;
  readonly model: hmatrix.Model;
  readonly matrix: hmatrix.HierarchicalMatrix;
  readonly onDevice: hmatrix.hierarchical.DeviceMatrix;
  readonly operator: hmatrix.LinearOperator;
  readonly tree: hmatrix.trees.ClusterTree;
  readonly kronecker: Awaited<ReturnType<typeof hmatrix.curvature.kroneckerHierarchical>>;
}

export async function fixtures(): Promise<Fixtures> {
  const team = await hmatrix.openTeam({ workers: 1 });
  const source = hmatrix.kernelSource(POINTS, hmatrix.kernels.gaussian(1), { ridge: 0.1 });
  const data = hmatrix.networks.memoryDataSet(
    hmatrix.dense.matrixOver(fractions(3 * SAMPLES, 2), 3, SAMPLES),
    hmatrix.dense.matrixOver(fractions(2 * SAMPLES, 3), 2, SAMPLES),
  );
  const model: hmatrix.Model = { network, parameters: fractions(network.parameters, 4), loss: 'mse', data };
  const matrix = await hmatrix.compress(source, { leafSize: 8, tolerance: 1e-8 }, { team });
  const onDevice = await matrix.to(await hmatrix.devices.openDevice('cpu', {}, { team }));
  const tree = await hmatrix.trees.buildClusterTree(source, 'geometric', { leafSize: 8 }, { team });
  const kronecker = await hmatrix.curvature.kroneckerHierarchical(
    model,
    { preserve: 'positive-definite', share: 0.9, leafSize: 4 },
    { team },
  );
  return {
    team,
    points: POINTS,
    source,
    model,
    matrix,
    onDevice,
    operator: hmatrix.operators.shifted(matrix, 0),
    tree,
    kronecker,
  };
}

const isError = (name: string): boolean =>
  /Error$/.test(name) && name !== 'operatorError' && name !== 'projectionError';

/** Names of all public functions and classes but errors: of the core and of the namespaces, each once. */
export function publicFunctions(): string[] {
  const found = new Map<string, unknown>();
  const add = (name: string, value: unknown): void => {
    if (typeof value !== 'function' || isError(name)) return;
    if (found.has(name) && found.get(name) !== value) throw new Error(`Two public things are called ${name}.`);
    found.set(name, value);
  };
  for (const [name, value] of Object.entries(hmatrix)) {
    if (typeof value === 'function') add(name, value);
    else for (const [inner, thing] of Object.entries(value)) add(inner, thing);
  }
  return [...found.keys()].sort();
}

const decoder = hmatrix.networks.defineNetwork({ widths: [1, 2] });
/** A model's network as the encoder of one number. */
export const pair = ({
  network: encoder,
  parameters,
  loss,
  data,
}: hmatrix.GivenModel): hmatrix.training.VariationalModel => ({
  encoder: { network: encoder, parameters },
  decoder: { network: decoder, parameters: fractions(decoder.parameters, 8) },
  loss,
  data,
});
export const trainPair = (model: hmatrix.GivenModel): Promise<hmatrix.training.VariationalRun> =>
  hmatrix.training.trainVariational(pair(model), { epochs: 1, batchSize: 4 });

/** The gradient of a model on the device `cpu`. */
export async function gradientOnDevice(
  model: hmatrix.GivenModel,
  control: hmatrix.Control,
): Promise<ArrayLike<number>> {
  const onDevice = await hmatrix.devices.putModel(model, await hmatrix.devices.openDevice('cpu', {}, control));
  return (await onDevice.lossAndGradient()).gradient;
}
