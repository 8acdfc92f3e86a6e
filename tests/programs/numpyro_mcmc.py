"""A small numpyro MCMC run."""

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS


def model(data):
    mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
    numpyro.sample("obs", dist.Normal(mean, 1.0), obs=data)


data = np.random.RandomState(0).randn(20) + 1.0
mcmc = MCMC(NUTS(model), num_warmup=20, num_samples=20, progress_bar=False)
mcmc.run(jax.random.PRNGKey(0), data)
print(f"mean {float(mcmc.get_samples()['mean'].mean()):.3f}")
