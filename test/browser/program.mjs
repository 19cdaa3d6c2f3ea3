/**
 * What Node and browsers compute alike, with `hmatrix` as it was loaded there: matrices compressed, multiplied,
 * factored and solved, the Hessian of a network.
 */

/** A digest (FNV-1a) of the bits, short enough to be shown. */
function bitsOf({ buffer, byteOffset, byteLength }) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new Uint8Array(buffer, byteOffset, byteLength))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16);
}

/** Digests of the results' bits on a team, by name. */
export async function results(hmatrix, team) {
  const { kernels, random, dense, networks, curvature } = hmatrix;
  const size = 300;
  const coordinates = new Float64Array(2 * size);
  const stream = new random.RandomStream(1);
  for (let i = 0; i < coordinates.length; i++) coordinates[i] = stream.uniform();
  const points = { dimension: 2, count: size, coordinates };
  const vector = dense.zeros(size, 1);
  for (let i = 0; i < size; i++) vector.data[i] = stream.uniform();
  const found = {};
  const expression = await kernels.expressionKernel('1 / (1 + r^2)');
  for (const [name, kernel] of Object.entries({ gaussian: kernels.gaussian(0.5), expression })) {
    for (const format of ['hss', 'hodlr', 'fmm']) {
      const options = { leafSize: 24, tolerance: 1e-6, format, seed: 3 };
      const matrix = await hmatrix.compress(
        hmatrix.kernelSource(points, kernel, { ridge: 1, blas: team.blas }),
        options,
        { team },
      );
      found[`${name}, ${format}: product`] = bitsOf(matrix.apply(vector).data);
      if (format === 'fmm') continue;
      const factorization = await hmatrix.factor(matrix, {}, { team });
      found[`${name}, ${format}: solution`] = bitsOf(factorization.solve(vector).data);
    }
  }
  const network = networks.defineNetwork({ widths: [3, 6, 2], activation: 'softplus' });
  const parameters = networks.initialParameters(network, 2);
  const inputs = dense.zeros(3, 40);
  for (let i = 0; i < inputs.data.length; i++) inputs.data[i] = stream.uniform();
  const model = { network, parameters, loss: 'mse', data: networks.memoryDataSet(inputs, dense.zeros(2, 40)) };
  const hessian = await hmatrix.compress(
    curvature.gaussNewtonSource(model, { blas: team.blas }),
    { leafSize: 8, tolerance: 1e-6 },
    { team },
  );
  const ones = dense.zeros(hessian.size, 1);
  ones.data.fill(1);
  found['Hessian: product'] = bitsOf(hessian.apply(ones).data);
  return found;
}

/** What a promise rejects with, as data; undefined where it does not. */
export const failureOf = (promise) =>
  promise.then(
    () => undefined,
    ({ name, message }) => ({ name, message }),
  );
