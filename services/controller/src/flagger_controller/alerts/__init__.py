"""Alerts: messages for people, in chats and elsewhere.

The registry of providers is `CHANNELS`, with the AlertProvider whose `type` it is about.
"""
