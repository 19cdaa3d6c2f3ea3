/**
 * The elementwise functions of the tape as kernels: φ, φ′ and φ″ at x, those that are asked for, in one launch.
 * GELU's Φ is by W. J. Cody's approximations, as on the host (network/activations/erf.ts).
 */
import type { PortableKernel } from '../../device/portable-kernel.js';
import type { ElementwiseName } from '../primitives/elementwise.js';

/** Sets f, d and c, the function and its derivatives, at z. */
const TEXTS: Readonly<Record<ElementwiseName, string>> = {
  linear: 'f = z; d = 1.0;',
  relu: 'f = max(z, 0.0); d = select(0.0, 1.0, z > 0.0);',
  leakyRelu: 'f = select(0.01 * z, z, z > 0.0); d = select(0.01, 1.0, z > 0.0);',
  tanh: `real e = exp(-2.0 * abs(z));
real s = 1.0 / (1.0 + e);
f = tanh(min(max(z, -20.0), 20.0));
d = 4.0 * e * s * s;
c = -2.0 * f * d;`,
  sigmoid: `real e = exp(-abs(z));
real s = 1.0 / (1.0 + e);
real t = e * s;
f = select(s, t, z < 0.0);
d = t * s;
c = d * select(t - s, s - t, z < 0.0);`,
  softplus: `real e = exp(-abs(z));
real s = 1.0 / (1.0 + e);
f = max(z, 0.0) + select(log(1.0 + e), e * (1.0 - e * (0.5 - e / 3.0)), e < 0.01);
d = select(s, e * s, z < 0.0);
c = e * s * s;`,
  silu: `real e = exp(-abs(z));
real s = 1.0 / (1.0 + e);
real t = e * s;
real p = select(s, t, z < 0.0);
real q = t * s;
f = z * p;
d = p + z * q;
c = q * (2.0 + z * select(t - s, s - t, z < 0.0));`,
  gelu: `real e = exp(-0.5 * z * z);
real u = abs(z) * 0.70710678118654752;
real p = 0.0;
if (u <= 0.46875) {
  real t = 0.5 * z * z;
  real a = (((0.185777706184603153 * t + 3.1611237438705656) * t + 113.864154151050156) * t + 377.485237685302021) * t
    + 3209.37758913846947;
  real b = (((t + 23.6012909523441209) * t + 244.024637934444173) * t + 1282.61652607737228) * t + 2844.23683343917062;
  p = 0.5 + 0.35355339059327376 * z * a / b;
} else {
  real r = 0.0;
  if (u <= 4.0) {
    real a = (((((((2.15311535474403846e-8 * u + 0.564188496988670089) * u + 8.88314979438837594) * u
      + 66.1191906371416295) * u + 298.635138197400131) * u + 881.95222124176909) * u + 1712.04761263407058) * u
      + 2051.07837782607147) * u + 1230.33935479799725;
    real b = (((((((u + 15.7449261107098347) * u + 117.693950891312499) * u + 537.181101862009858) * u
      + 1621.38957456669019) * u + 3290.79923573345963) * u + 4362.61909014324716) * u + 3439.36767414372164) * u
      + 1230.33935480374942;
    r = a / b;
  } else {
    real t = 1.0 / (u * u);
    real a = ((((0.0163153871373020978 * t + 0.305326634961232344) * t + 0.360344899949804439) * t
      + 0.125781726111229246) * t + 0.0160837851487422766) * t + 6.58749161529837803e-4;
    real b = ((((t + 2.56852019228982242) * t + 1.87295284992346047) * t + 0.527905102951428412) * t
      + 0.0605183413124413191) * t + 0.00233520497626869185;
    r = (0.56418958354775628 - t * a / b) / u;
  }
  real tail = 0.5 * e * r;
  p = select(1.0 - tail, tail, z < 0.0);
}
real density = 0.39894228040143268 * e;
f = z * p;
d = p + z * density;
c = select(density * (2.0 - z * z), 0.0, density == 0.0);`,
  exp: 'f = exp(z); d = f; c = f;',
  reciprocalRoot: `real r = 1.0 / sqrt(z + epsilon);
f = r;
d = -0.5 * r * r * r;
c = 0.75 * r * r * r * r * r;`,
};

const kernels = new Map<string, PortableKernel>();

/** The kernel that computes the derivatives of those orders, each to a place of its own: the value's may be x's. */
export function activationKernel(name: ElementwiseName, orders: readonly number[]): PortableKernel {
  const key = `${name} ${orders.join(' ')}`;
  let kernel = kernels.get(key);
  if (kernel === undefined) {
    const stores = orders.map((order) => `h[y${order} + i] = ${['f', 'd', 'c'][order]};`).join('\n');
    kernel = {
      name: key,
      buffers: ['h'],
      integers: ['x', ...orders.map((order) => `y${order}`)],
      reals: ['epsilon'],
      body: `real z = h[x + i];
real f = 0.0;
real d = 0.0;
real c = 0.0;
${TEXTS[name]}
${stores}`,
    };
    kernels.set(key, kernel);
  }
  return kernel;
}
