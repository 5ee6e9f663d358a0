# The course:  docker build -t vae_lessons . && docker run --rm -p 127.0.0.1:8888:8888 vae_lessons
# The hub:     docker build --target hub -t vae_hub . && docker run --rm -p 127.0.0.1:8000:8000 vae_hub
# Kubernetes:  docker build --target learner -t registry.example.org/vae_learner:0.1.0 .  (teaching/zero_to_jupyterhub.yaml)
# The book:    docker build --target book -t vae_book . && docker run --rm -p 127.0.0.1:8080:8080 vae_book
FROM python:3.13-slim AS base
RUN useradd --create-home --uid 1000 learner
WORKDIR /home/learner/course
COPY --chown=learner . .
RUN python -m pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu "torch>=2.4,<2.16" \
    && python -m pip install --no-cache-dir -e . \
    && chown learner .
USER learner

FROM base AS book
USER root
RUN python -m pip install --no-cache-dir -e ".[site]"
USER learner
RUN python docs/build.py
CMD ["python", "-m", "http.server", "--directory", "site", "8080"]

FROM base AS hub
USER root
RUN apt-get update && apt-get install -y --no-install-recommends npm && rm -rf /var/lib/apt/lists/* \
    && npm install -g configurable-http-proxy \
    && python -m pip install --no-cache-dir "jupyterhub>=6.1,<6.2"
USER learner
CMD ["python", "-m", "jupyterhub", "-f", "teaching/jupyterhub_config.py", "--JupyterHub.bind_url=http://0.0.0.0:8000"]

# The chart's hub is of this release, and the learner's server has to be.
FROM base AS learner
USER root
RUN python -m pip install --no-cache-dir "jupyterhub>=5.5,<5.6"
USER learner

FROM base AS course
CMD ["python", "-m", "vae_lessons", "--ip=0.0.0.0", "--port=8888", "--no-browser"]
