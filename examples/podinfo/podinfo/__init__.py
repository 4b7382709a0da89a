"""The demo application: something with a version, a colour and faults to be switched on.

Only the standard library, so that its image is the base image and one folder.
"""
