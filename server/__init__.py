"""The shell: settings, HTTP routes, WebSocket, health, metrics, static files."""
