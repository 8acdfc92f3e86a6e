"""What pytest loads where jitwatch is installed: the plugin by its name, so that it is never loaded twice."""

pytest_plugins = ("jitwatch.pytest_plugin",)
