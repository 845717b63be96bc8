//! Matrix products against three loops.

use half::{bf16, f16};
use stand_in_gpu::driver::{Product, ProductOperand, Stored, multiply};

fn value(at: usize) -> f32 {
    ((at * 37 + 11) % 101) as f32 / 32.0 - 1.5
}

trait Element: Copy {
    const STORED: Stored;
    fn of(value: f32) -> Self;
    fn to(self) -> f64;
}

macro_rules! element {
    ($kind:ty, $stored:expr, $of:expr) => {
        impl Element for $kind {
            const STORED: Stored = $stored;
            fn of(value: f32) -> Self {
                $of(value)
            }
            fn to(self) -> f64 {
                self.into()
            }
        }
    };
}
element!(f32, Stored::F32, |value| value);
element!(f64, Stored::F64, f64::from);
element!(f16, Stored::F16, f16::from_f32);
element!(bf16, Stored::Bf16, bf16::from_f32);

fn check<A: Element, C: Element>(
    [m, n, k]: [usize; 3],
    [ta, tb]: [bool; 2],
    beta: f64,
    tolerance: f64,
) {
    let (rows_a, columns_a) = if ta { (k, m) } else { (m, k) };
    let (rows_b, columns_b) = if tb { (n, k) } else { (k, n) };
    let (leading_a, leading_b, leading_c) = (rows_a + 3, rows_b + 1, m + 2);
    let a: Vec<A> = (0..leading_a * columns_a)
        .map(|at| A::of(value(at)))
        .collect();
    let b: Vec<A> = (0..leading_b * columns_b)
        .map(|at| A::of(value(at + 5)))
        .collect();
    let start = if beta == 0.0 {
        C::of(f32::NAN)
    } else {
        C::of(2.0)
    };
    let mut c = vec![start; leading_c * n];
    let operand = |address: u64, stored, leading, transposed| ProductOperand {
        address,
        stored,
        leading,
        transposed,
    };
    let product = Product {
        m,
        n,
        k,
        alpha: 0.5,
        beta,
        a: operand(
            a.as_ptr().expose_provenance() as u64,
            A::STORED,
            leading_a,
            ta,
        ),
        b: operand(
            b.as_ptr().expose_provenance() as u64,
            A::STORED,
            leading_b,
            tb,
        ),
        c: operand(
            c.as_mut_ptr().expose_provenance() as u64,
            C::STORED,
            leading_c,
            false,
        ),
    };
    // SAFETY: the vectors are as large as their leading dimensions and columns say.
    unsafe { multiply(&product) };
    for row in 0..m {
        for column in 0..n {
            let sum: f64 = (0..k)
                .map(|at| {
                    let a = if ta {
                        a[row * leading_a + at]
                    } else {
                        a[at * leading_a + row]
                    };
                    let b = if tb {
                        b[at * leading_b + column]
                    } else {
                        b[column * leading_b + at]
                    };
                    a.to() * b.to()
                })
                .sum();
            let expected = 0.5 * sum + if beta == 0.0 { 0.0 } else { beta * 2.0 };
            let found = c[column * leading_c + row].to();
            let close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
            assert!(
                close,
                "{m}x{n}x{k} {ta} {tb} at {row}, {column}: {found}, expected {expected}"
            );
        }
    }
}

#[test]
fn products_of_every_kind() {
    for transposes in [[false, false], [true, false], [false, true], [true, true]] {
        for shape in [[1, 1, 1], [8, 4, 16], [13, 7, 33], [65, 31, 100], [5, 3, 0]] {
            for beta in [0.0, 1.5] {
                check::<f32, f32>(shape, transposes, beta, 1e-5);
                check::<f64, f64>(shape, transposes, beta, 1e-13);
                check::<f16, f16>(shape, transposes, beta, 1e-3);
                check::<bf16, bf16>(shape, transposes, beta, 1e-2);
                check::<bf16, f32>(shape, transposes, beta, 1e-5);
            }
        }
    }
}
