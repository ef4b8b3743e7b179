"""What the load profiles of bench/load.py are made of.

`serving` runs the processes that are measured, `clients` are logins whose every byte is made
before the clock starts, `drive` moves those bytes, `profiles` say who asks what and when.
"""
