"""What the processes of the suite share; it never imports a service."""
