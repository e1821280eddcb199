"""Coding agents: started, spoken to over the Agent Client Protocol, listened to, and judged by what they do."""
