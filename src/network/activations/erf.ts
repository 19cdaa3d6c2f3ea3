/**
 * The complementary error function without its exponential: E(y) = e^{y²}·erfc(y), y ≥ 0. Rational minimax
 * approximations of W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23(107), 1969,
 * 631–637, with the coefficients to 18 digits of his subroutine CALERF (netlib.org/specfun): below 6e-19 relative
 * before rounding.
 */

/** 1/√π. */
const INV_SQRT_PI = 0.56418958354775628695;

/** erf(y)/y for |y| ≤ 0.46875, by t = y². */
export function erfOverArgument(t: number): number {
  const numerator =
    (((1.85777706184603153e-1 * t + 3.1611237438705656) * t + 1.13864154151050156e2) * t + 3.77485237685302021e2) * t +
    3.20937758913846947e3;
  const denominator =
    (((t + 2.36012909523441209e1) * t + 2.44024637934444173e2) * t + 1.28261652607737228e3) * t + 2.84423683343917062e3;
  return numerator / denominator;
}

/** e^{y²}·erfc(y) for y ≥ 0.46875. */
export function scaledErfc(y: number): number {
  if (y <= 4) {
    const numerator =
      (((((((2.15311535474403846e-8 * y + 5.64188496988670089e-1) * y + 8.88314979438837594) * y +
        6.61191906371416295e1) *
        y +
        2.98635138197400131e2) *
        y +
        8.8195222124176909e2) *
        y +
        1.71204761263407058e3) *
        y +
        2.05107837782607147e3) *
        y +
      1.23033935479799725e3;
    const denominator =
      (((((((y + 1.57449261107098347e1) * y + 1.17693950891312499e2) * y + 5.37181101862009858e2) * y +
        1.62138957456669019e3) *
        y +
        3.29079923573345963e3) *
        y +
        4.36261909014324716e3) *
        y +
        3.43936767414372164e3) *
        y +
      1.23033935480374942e3;
    return numerator / denominator;
  }
  const t = 1 / (y * y);
  const numerator =
    ((((1.63153871373020978e-2 * t + 3.05326634961232344e-1) * t + 3.60344899949804439e-1) * t +
      1.25781726111229246e-1) *
      t +
      1.60837851487422766e-2) *
      t +
    6.58749161529837803e-4;
  const denominator =
    ((((t + 2.56852019228982242) * t + 1.87295284992346047) * t + 5.27905102951428412e-1) * t +
      6.05183413124413191e-2) *
      t +
    2.33520497626869185e-3;
  return (INV_SQRT_PI - (t * numerator) / denominator) / y;
}
