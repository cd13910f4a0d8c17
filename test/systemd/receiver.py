# What systemd is for a service: a datagram socket. Prints each message as a line of JSON.
import json
import socket
import sys

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print(json.dumps("open"), flush=True)
while True:
    text = receiver.recv(65536).decode()  # a descriptor that comes with BARRIER=1 is closed by not being taken
    if text != "BARRIER=1":
        print(json.dumps(text), flush=True)
